//! Whether a member that is alive is working.

use heartbeat_contract::{HealthState, Progress};

use super::member::{Beat, Cold, Hot};
use super::now::{Now, micros};

/// What the beats of a member told of its work. Nothing is concluded between beats: nothing is known then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    busy: bool,
    done: u64,
    /// Virtual time at which the registry saw either of them change.
    since: u64,
    /// For how long it made no progress, in microseconds, by its newest beat.
    stalled: u64,
    is_stuck: bool,
}

impl Work {
    const fn new(at: u64) -> Self {
        Self { busy: false, done: 0, since: at, stalled: 0, is_stuck: false }
    }

    /// Takes over what a beat tells. Busy for `stuck_after` without advance is stuck, by whichever was longer: what the
    /// member says, or what the registry saw.
    fn hear(&mut self, told: Progress, at: u64, stuck_after: u64) {
        let Progress { busy, done, age_ms } = told;
        if (self.busy, self.done) != (busy, done) {
            *self = Self { busy, done, ..Self::new(at) };
        }
        self.stalled = age_ms.saturating_mul(1000).max(at.saturating_sub(self.since));
        self.is_stuck = busy && self.stalled >= stuck_after;
    }

    pub(crate) fn evidence(&self) -> String {
        let seconds = self.stalled as f64 / 1e6;
        format!("busy without progress for {seconds:.1} s, with {} done", self.done)
    }
}

impl Cold {
    pub(super) fn hear_work(&mut self, hot: &Hot, beat: &Beat<'_>, new_run: bool, now: &Now) {
        let told = beat.info.and_then(|info| info.progress);
        if told.is_none() && self.work.is_none() {
            return;
        }
        let stuck_after = micros(self.resolved(hot).stuck_after);
        let work = self.work.get_or_insert_with(|| Box::new(Work::new(now.at)));
        if new_run {
            **work = Work::new(now.at);
        }
        // One that reports none any more is never stuck; the memory is kept, since it may again.
        work.hear(told.unwrap_or_default(), now.at, stuck_after);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.is_stuck)
    }

    /// What its work alone says of its state.
    pub(super) fn state_by_work(&self) -> HealthState {
        if self.is_stuck() { HealthState::Critical } else { HealthState::Healthy }
    }

    /// Its work, if that and nothing else makes its state as bad as it is.
    pub(super) fn decisive_work(&self, hot: &Hot, by_age: HealthState) -> Option<&Work> {
        let otherwise = by_age.max(hot.floor).max(hot.report.into());
        self.work.as_deref().filter(|work| work.is_stuck && otherwise < HealthState::Critical)
    }
}
