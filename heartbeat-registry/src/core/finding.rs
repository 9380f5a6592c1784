//! What was found out about a member since it fell silent.

use heartbeat_contract::{Cause, Exit, HealthState, HoldReason, MemberId};

use super::hold::Hold;
use super::member::{Cold, Hot};

/// What a probe found, the hive of its host reported, or its last beat told, while a member was silent. The next beat makes
/// it void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) found: Found,
    /// When, in virtual microseconds.
    pub(crate) at: u64,
    /// The same in words.
    pub(crate) words: String,
}

/// What that says of the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "only probes use it"))]
pub(crate) enum Found {
    /// Nothing listens where it answered, or its hive says that its process ended.
    Gone,
    /// Its last beat told that its process ended, which leaves nothing to find out.
    Ended,
    /// It takes connections, and does not answer.
    Hangs,
    /// It answers, so that its beats are lost on their way.
    Answers,
    /// Nothing that tells one from the other.
    Unclear,
}

/// Who found it out.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "only probes use it"))]
pub(crate) enum Source<'a> {
    /// A probe of a member that had last been heard at a moment.
    Probe { heard: u64 },
    /// Its hive, of one run if it knows that, and of when that ended, in virtual microseconds.
    Hive { hive: &'a MemberId, incarnation: Option<u64>, ended: Option<u64> },
}

impl Source<'_> {
    /// Whether it is still about the member as it is.
    pub(super) fn is_about(self, hot: &Hot, cold: &Cold) -> bool {
        match self {
            Self::Probe { heard } => heard == hot.heard,
            Self::Hive { hive, incarnation, ended } => {
                let run = hot.order().map(|order| order.incarnation);
                let is_its_run = incarnation.is_none() || incarnation == run;
                // Its last beat may have been under way for a while.
                let has_beaten_since = ended.is_some_and(|ended| hot.heard > ended.saturating_add(hot.interval()));
                cold.hive_id.as_ref() == Some(hive) && is_its_run && !has_beaten_since
            }
        }
    }
}

impl Finding {
    /// A last beat told how its process ended.
    pub(super) fn of(exit: Exit, at: u64) -> Self {
        Self { found: Found::Ended, at, words: format!("its last beat told that {exit}") }
    }

    /// What it says of why the member is silent.
    pub(crate) fn cause(&self) -> Cause {
        match self.found {
            Found::Gone | Found::Ended => Cause::ProcessDead,
            Found::Hangs => Cause::Hung,
            Found::Answers => Cause::Network,
            Found::Unclear => Cause::Silent,
        }
    }

    /// A member that answers is held before failed, once, for one interval.
    pub(super) fn hold(&self, hot: &Hot) -> Option<Hold> {
        let until = hot.heard + hot.edges().failed + 1 + hot.interval();
        (self.found == Found::Answers).then_some(Hold { reason: HoldReason::Network, since: self.at, until })
    }
}

impl Cold {
    /// How its process ended, if its last beat told that.
    pub(crate) fn end(&self) -> Option<&Finding> {
        self.finding.as_deref().filter(|finding| finding.found == Found::Ended)
    }

    /// What that alone says of its state: nobody waits for beats of a process that is gone.
    pub(super) fn state_by_end(&self) -> HealthState {
        if self.end().is_some() { HealthState::Critical } else { HealthState::Healthy }
    }

    /// Its end, if its age does not yet say as much.
    pub(super) fn decisive_end(&self, by_age: HealthState) -> Option<&Finding> {
        self.end().filter(|_| by_age < HealthState::Critical)
    }
}
