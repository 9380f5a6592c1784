//! How long the machine slept between beats.

use std::time::Duration;

/// Reads for how long the machine has slept so far.
pub(crate) type SleepClock = Box<dyn Fn() -> Duration + Send>;

/// What the beats of a run tell of the machine's sleep.
pub(crate) struct Sleep {
    clock: SleepClock,
    /// What was read for the newest beat, and for the newest that was acknowledged.
    newest: Duration,
    acknowledged: Duration,
}

impl Sleep {
    pub(crate) fn new(clock: SleepClock) -> Self {
        let begin = clock();
        Self { clock, newest: begin, acknowledged: begin }
    }

    /// How long the machine slept since the newest beat that was acknowledged: the first beats after a sleep often fail,
    /// since the network sleeps, too.
    pub(crate) fn for_beat(&mut self) -> Duration {
        self.newest = (self.clock)();
        self.newest.saturating_sub(self.acknowledged)
    }

    pub(crate) fn acknowledged(&mut self) {
        self.acknowledged = self.newest;
    }
}
