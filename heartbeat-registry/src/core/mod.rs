//! The pure part: what is known of members and what follows from it. It reads no clock, locks nothing and waits for
//! nothing; it takes `now` and answers what happened and when to call again.

mod blindness;
mod detector;
mod directives;
mod hear;
mod hold;
mod judge;
mod member;
mod now;
mod order;
mod origin;
mod outlook;
mod table;
mod virtual_clock;
mod wheel;

pub(crate) use blindness::{Blindness, WINDOW};
pub(crate) use hear::{Accepted, Verdict};
pub(crate) use hold::Hold;
pub(crate) use judge::explain;
pub(crate) use member::{Attachment, Beat, Cold, Hot, Key, KindIndex};
pub(crate) use now::{Now, micros};
pub(crate) use order::Stale;
pub(crate) use origin::Origin;
pub(crate) use outlook::Outlook;
pub(crate) use table::{Defaults, Fact, Table, Tally};
pub(crate) use virtual_clock::{TOLERANCE, VirtualClock};
