//! Time as far as the registry could have known about beats.
//!
//! While the process is stopped, suspended or starved, nobody's silence can be told from its own deafness. So the clock
//! that judges never passes the moment the driver planned to wake at, and when the driver wakes late, its lateness is
//! credited to everyone at once.

/// How late the driver may wake, in microseconds, before its lateness is credited: the processing time of the published
/// bound. Timers are about as coarse, so that less would credit something at every wake, and slow the clock down.
pub(crate) const SLACK: u64 = 1_000;

/// What a driver that is late credits, and how far the virtual clock may go before the driver has woken.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    credited: u64,
    planned: u64,
}

impl VirtualClock {
    /// No lateness is expected before a driver plans its first wake.
    pub(crate) const fn new() -> Self {
        Self { credited: 0, planned: u64::MAX }
    }

    /// The virtual time at a monotonic one, both in microseconds.
    pub(crate) fn at(&self, mono: u64) -> u64 {
        mono.min(self.latest()).saturating_sub(self.credited)
    }

    /// All that was credited so far, in microseconds.
    pub(crate) fn credited(&self) -> u64 {
        self.credited
    }

    /// The driver is awake: credits how late it is and plans the next wake. Returns the virtual time.
    pub(crate) fn wake(&mut self, mono: u64, next: u64) -> u64 {
        self.credited += mono.saturating_sub(self.latest());
        self.planned = next;
        self.at(mono)
    }

    /// Brings the planned wake forward to a virtual time, or to now if that is past; tells whether that changed anything.
    pub(crate) fn bring_forward(&mut self, at: u64, mono: u64) -> bool {
        let wake = at.saturating_add(self.credited).max(mono);
        let sooner = wake < self.planned;
        self.planned = self.planned.min(wake);
        sooner
    }

    /// Nobody is monitored, so the driver may sleep for as long as it likes.
    pub(crate) fn rest(&mut self) {
        self.planned = u64::MAX;
    }

    /// When the driver should wake, in microseconds of the monotonic clock; `None` while at rest.
    pub(crate) fn planned(&self) -> Option<u64> {
        (self.planned != u64::MAX).then_some(self.planned)
    }

    /// How far monotonic time may go without being credited.
    fn latest(&self) -> u64 {
        self.planned.saturating_add(SLACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_credited_and_time_never_jumps() {
        let mut clock = VirtualClock::new();
        clock.wake(1_000, 2_000);
        assert_eq!(clock.at(1_500), 1_500);
        // Stopped from 1,600 to 60,000: whoever looks first sees the time of the planned wake, and the slack.
        assert_eq!(clock.at(60_000), 3_000);
        assert_eq!(clock.wake(60_000, 61_000), 3_000);
        assert_eq!(clock.at(60_500), 3_500);
        assert_eq!(clock.credited(), 57_000);
    }

    #[test]
    fn a_wake_in_time_or_within_the_slack_credits_nothing() {
        let mut clock = VirtualClock::new();
        clock.wake(0, 1_000);
        clock.wake(900, 2_000);
        clock.wake(3_000, 4_000);
        assert_eq!((clock.at(3_000), clock.credited()), (3_000, 0));
    }

    #[test]
    fn a_sooner_deadline_brings_the_wake_forward() {
        let mut clock = VirtualClock::new();
        clock.wake(0, 10_000);
        assert!(!clock.bring_forward(10_000, 0));
        assert!(clock.bring_forward(4_000, 0));
        assert_eq!(clock.at(9_000), 5_000);
    }

    #[test]
    fn a_deadline_that_is_past_wakes_now_and_takes_no_time_back() {
        let mut clock = VirtualClock::new();
        clock.wake(0, 250_000);
        assert!(clock.bring_forward(1_250, 10_000));
        assert_eq!((clock.planned(), clock.at(10_000)), (Some(10_000), 10_000));
        assert_eq!((clock.wake(10_500, 20_000), clock.credited()), (10_500, 0));
    }
}
