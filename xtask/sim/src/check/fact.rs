//! What a checker is told: all that the simulation did, all that the registry answered, and all that it logged.

use std::fmt;
use std::time::Duration;

use heartbeat_contract::{Event, HealthState, MemberStats, MemberView, Order};
use jiff::Timestamp;

/// A member of whatever kind: `worker/a`.
pub(crate) type Name = String;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// The registry started, with an empty memory.
    Started,
    /// The registry no longer gets to run, but lives.
    Stopped,
    /// It gets to run again.
    Continued,
    /// The registry answered a beat. What it logged because of it comes next.
    Beat(Receipt),
    /// The registry logged something.
    Logged(Event),
    /// How many members there are by the registry's own books, and how many when they are listed.
    Counted { stats: MemberStats, listed: u64 },
    /// What a view shows of a member that is overdue: whether something holds it.
    Looked { name: Name, is_held: bool },
    /// All is well again, and has been for long enough: whether the member's process lives, and its state.
    Settled { name: Name, lives: bool, state: Option<HealthState> },
}

/// A beat as it came, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) name: Name,
    pub(crate) order: Option<Order>,
    pub(crate) declared: Option<Duration>,
    pub(crate) is_goodbye: bool,
    pub(crate) status: u16,
    /// The registry's wall clock then.
    pub(crate) wall: Timestamp,
    /// What was known of the member before.
    pub(crate) before: Option<Known>,
    /// What is known of it now.
    pub(crate) after: Option<Known>,
}

/// What a registry knows of a member, as far as a beat without effect must not change it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) order: Option<Order>,
    pub(crate) state: HealthState,
    pub(crate) last_seen: Option<Timestamp>,
}

impl Known {
    pub(crate) fn of(view: &MemberView) -> Self {
        let order = view.incarnation.zip(view.seq).map(|(incarnation, seq)| Order { incarnation, seq });
        Self { order, state: view.state, last_seen: view.last_seen }
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.promise, self.at.as_secs_f64(), self.what)
    }
}
