//! Why a member is in its state, and what happens next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Cause, Deadlines, Flag, HealthState, HoldView, Kind, MemberId, ResolvedPolicy, time};

words! {
    /// What decides the state of a member: of all that speaks for a state, that which speaks for the worst.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Rule {
        /// The age of its last beat.
        Timing = "timing",
        /// By its age it is failed, but a hold keeps it critical.
        Hold = "hold",
        /// It beats again, but not yet often enough in a row.
        Recovery = "recovery",
        /// What it says of itself.
        SelfReport = "self_report",
        /// It is busy without progress.
        Stuck = "stuck",
        /// Its process ended, as its last beat told.
        Exit = "exit",
        /// It said goodbye.
        Goodbye = "goodbye",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// What becomes of a member if it stays silent.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum NextStep {
        /// It is degraded.
        Degraded = "degraded",
        /// It is critical.
        Critical = "critical",
        /// It is failed.
        Failed = "failed",
        /// It is no longer known.
        Forgotten = "forgotten",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

/// Why a member is in its state, by which rule, and what happens next and when: in words for people, in fields for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The kind of the member.
    pub kind: Kind,
    /// The id of the member.
    pub id: MemberId,
    /// Its state.
    pub state: HealthState,
    /// Since when, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub since: Timestamp,
    /// What decides it.
    pub rule: Rule,
    /// Why, if the state is worse than healthy.
    pub cause: Option<Cause>,
    /// What speaks for the cause, in words.
    pub evidence: Vec<String>,
    /// How long it has been silent, in milliseconds, whatever is credited.
    pub age_ms: u64,
    /// How much of that is not held against it, in milliseconds.
    pub credited_ms: u64,
    /// How far away each edge is; `null` once it left.
    pub deadlines: Option<Deadlines>,
    /// What else is notable.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// What keeps it from failed just now.
    pub holds: Vec<HoldView>,
    /// What it is judged by.
    pub policy: ResolvedPolicy,
    /// What happens next if it stays silent, and when; `null` if nothing does.
    pub next: Option<NextChange>,
    /// All of that in sentences: why, by which rule, what happens next, and what would bring it back.
    pub words: Vec<String>,
}

/// What happens next to a member that stays silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextChange {
    /// What.
    pub to: NextStep,
    /// In how many milliseconds of the registry's own clock.
    pub in_ms: u64,
    /// When, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub at: Timestamp,
}
