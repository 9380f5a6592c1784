//! Telling what became of members: this process, and others.

mod alerts;
mod callback;
mod cooldown;
mod handle;
mod sighting;
#[cfg(feature = "alerts")]
pub(crate) mod sink;
mod teller;
mod thread;

use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, EventId, HealthState, Kind, MemberId};
use jiff::Timestamp;

pub use alerts::Alerts;
pub use callback::Reply;
pub use handle::{AlertStats, AlertsHandle};
pub(crate) use thread::{AlertThreads, start};

/// A member changed its health state, as a callback of [`Alerts`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// The event it tells of, by log and number: the same for all who are told, so that who hears it twice can know.
    pub event: EventId,
    /// What the member is.
    pub kind: Kind,
    /// Who.
    pub member: MemberId,
    /// Its run, if its beats are ordered.
    pub incarnation: Option<u64>,
    /// When it was concluded, by the registry's wall clock.
    pub at: Timestamp,
    /// The state before.
    pub from: HealthState,
    /// The state after.
    pub to: HealthState,
    /// How long it had been silent before; since it was announced, if it never beat.
    pub age: Duration,
    /// When its last beat before came, by the registry's wall clock; `None` if none ever had.
    pub last_beat: Option<Timestamp>,
    /// Why; `None` for a plain recovery or a goodbye.
    pub cause: Option<Cause>,
    /// What speaks for the cause, in words.
    pub evidence: Vec<String>,
}

impl Alert {
    /// The alert that an event of a member of this kind gives rise to, if it is a transition.
    fn of(event: Event, kind: Kind, member: MemberId) -> Option<Self> {
        let EventBody::Transition { from, to, age_ms, last_seen, cause, evidence, .. } = event.body else {
            return None;
        };
        Some(Self {
            event: event.id,
            kind,
            member,
            incarnation: event.incarnation,
            at: event.at,
            from,
            to,
            age: Duration::from_millis(age_ms),
            last_beat: last_seen,
            cause,
            evidence,
        })
    }

    /// Whether it is back to healthy from a state that was worse, rather than from a goodbye.
    fn is_recovery(&self) -> bool {
        self.to == HealthState::Healthy && self.from != HealthState::Left
    }
}
