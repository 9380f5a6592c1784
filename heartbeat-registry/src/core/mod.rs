//! The pure part: what is known of members and what follows from it. It reads no clock, locks nothing and waits for
//! nothing; it takes `now` and answers what happened and when to call again.

mod adaptive;
mod availability;
mod blindness;
mod crowd;
mod detector;
mod directives;
mod fate;
mod finding;
mod flapping;
mod guard;
mod hear;
mod hold;
mod host;
mod hosts;
mod identity;
mod judge;
mod lag;
mod learning;
mod loss;
mod member;
mod now;
mod order;
mod origin;
mod outlook;
mod signals;
mod table;
mod virtual_clock;
mod wheel;
mod work;

pub(crate) use availability::share;
pub(crate) use blindness::{Blindness, WINDOW};
pub(crate) use fate::{Fate, Noticed, Notices};
pub(crate) use finding::{Finding, Found, Source};
pub(crate) use guard::{Protection, Scope};
pub(crate) use hear::{Accepted, Verdict};
pub(crate) use hold::Hold;
pub(crate) use hosts::{Hosts, Rehold, Word};
pub(crate) use judge::explain;
pub(crate) use member::{Attachment, Beat, Cold, Hot, Key, KindIndex};
pub(crate) use now::{Now, micros};
pub(crate) use order::Stale;
pub(crate) use origin::Origin;
pub(crate) use outlook::Outlook;
pub(crate) use table::{Defaults, Fact, Table, Tally};
pub(crate) use virtual_clock::{TOLERANCE, VirtualClock};
