use std::time::Duration;

use tokio::time::Instant;

/// Nobody who looks so late has slept for long; timers and busy machines are like that.
const COARSE: Duration = Duration::from_millis(100);

/// Whether a program says in time that it is alive, by `WATCHDOG=1`. Plain arithmetic.
///
/// It runs from when it is first [fed](Self::feed), which should be when the program is ready.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use daemon_lifecycle::Watchdog;
/// use tokio::time::Instant;
///
/// # fn at(_: Duration, now: Instant) {
/// let second = Duration::from_secs(1);
/// let mut watchdog = Watchdog::new(30 * second);
/// watchdog.feed(now);
/// assert_eq!(watchdog.due(), Some(now + 30 * second));
/// assert!(watchdog.check(now + 30 * second));
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Watchdog {
    every: Duration,
    due: Option<Instant>,
}

impl Watchdog {
    /// Of a program of which so much time may pass between two signs of life; above zero.
    pub fn new(every: Duration) -> Self {
        Self { every, due: None }
    }

    /// How much time may pass.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The program is ready, or has said that it is alive.
    pub fn feed(&mut self, now: Instant) {
        self.due = now.checked_add(self.every);
    }

    /// From now on, so much time may pass; above zero.
    pub fn change(&mut self, every: Duration, now: Instant) {
        self.every = every;
        if self.due.is_some() {
            self.feed(now);
        }
    }

    /// When it is missed, if it runs and was not missed before.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is missed: once, until it is fed again.
    pub fn missed(&mut self) {
        self.due = None;
    }

    /// Whether it is [missed](Self::missed) now. Not if that is asked only long after it was due, by a quarter of the time
    /// that may pass, 100 ms at least: whoever asks was stopped or starved, and perhaps the program with it, which then
    /// gets all of the time again.
    pub fn check(&mut self, now: Instant) -> bool {
        let Some(late) = self.due.and_then(|due| now.checked_duration_since(due)) else { return false };
        if late > (self.every / 4).max(COARSE) {
            self.feed(now);
            return false;
        }
        self.missed();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, Watchdog};

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "an origin, whichever")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn it_runs_from_when_it_is_fed_and_is_missed_once() {
        let now = origin();
        let mut watchdog = Watchdog::new(8 * SECOND);
        assert!(!watchdog.check(now + 1_000 * SECOND), "it does not run yet");
        watchdog.feed(now);
        watchdog.feed(now + 3 * SECOND);
        assert_eq!(watchdog.due(), Some(now + 11 * SECOND));
        assert!(!watchdog.check(now + 10 * SECOND));
        assert!(watchdog.check(now + 11 * SECOND));
        assert!(!watchdog.check(now + 12 * SECOND), "once");
        watchdog.feed(now + 20 * SECOND);
        assert!(watchdog.check(now + 28 * SECOND));
    }

    #[test]
    fn a_changed_time_counts_from_the_change_and_starts_nothing() {
        let now = origin();
        let mut watchdog = Watchdog::new(8 * SECOND);
        watchdog.change(4 * SECOND, now);
        assert_eq!((watchdog.due(), watchdog.every()), (None, 4 * SECOND));
        watchdog.feed(now);
        watchdog.change(100 * SECOND, now + SECOND);
        assert_eq!(watchdog.due(), Some(now + 101 * SECOND));
        watchdog.change(Duration::MAX, now);
        assert_eq!(watchdog.due(), None, "never");
    }

    #[test]
    fn who_overslept_does_not_judge() {
        let now = origin();
        let mut watchdog = Watchdog::new(8 * SECOND);
        watchdog.feed(now);
        assert!(!watchdog.check(now + 8 * SECOND + Duration::from_millis(2_001)));
        assert_eq!(watchdog.due(), Some(now + 16 * SECOND + Duration::from_millis(2_001)));
        assert!(watchdog.check(now + 18 * SECOND + Duration::from_millis(20)), "nearly on time");

        let mut hasty = Watchdog::new(Duration::from_millis(1));
        hasty.feed(now);
        assert!(hasty.check(now + Duration::from_millis(100)), "timers are coarse");
    }
}
