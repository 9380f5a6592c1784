//! Time as far as the registry could have known about beats.
//!
//! While the process is stopped, suspended or starved, nobody's silence can be told from its own deafness. So the clock
//! that judges never passes the moment the driver planned to wake at, and when the driver wakes late, its lateness is
//! credited to everyone at once. The same holds for the input: where canaries prove that beats are read, the clock never
//! passes the moment by which the next one should have come back. Both bounds may be passed at once, as they are when the
//! process is stopped; that time is credited once.

/// How late the driver may wake, in microseconds, before its lateness is credited: the processing time of the published
/// bound. Timers are about as coarse, so that less would credit something at every wake, and slow the clock down.
pub(crate) const SLACK: u64 = 1_000;

/// How long a canary may be under way, in microseconds, before what exceeds that is credited. With the 100 ms between two
/// of them, nobody's age grows by more than 250 ms while beats are not read: the allowance of a member that beats every
/// second. Less would credit what a busy machine takes to schedule a thread.
pub(crate) const TOLERANCE: u64 = 150_000;

/// What a driver or a canary that is late credits, and how far the virtual clock may go before they have come.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    credited: u64,
    planned: u64,
    /// Until when it counts as proved that beats are read; without end where no canary is expected.
    proved: u64,
    /// The virtual time of the nearest deadline that was told since the driver woke.
    due: u64,
}

impl VirtualClock {
    /// No lateness is expected before a driver plans its first wake.
    pub(crate) const fn new() -> Self {
        Self { credited: 0, planned: u64::MAX, proved: u64::MAX, due: u64::MAX }
    }

    /// The virtual time at a monotonic one, both in microseconds.
    pub(crate) fn at(&self, mono: u64) -> u64 {
        mono.min(self.latest()).saturating_sub(self.credited)
    }

    /// All that was credited so far, in microseconds.
    pub(crate) fn credited(&self) -> u64 {
        self.credited
    }

    /// The driver is awake: credits how late it is, and what its work takes beyond the slack until it [plans](Self::plan).
    /// Else who falls due during long work would be judged too late. Returns the virtual time.
    pub(crate) fn wake(&mut self, mono: u64) -> u64 {
        self.settle(mono);
        self.planned = mono;
        self.due = u64::MAX;
        self.at(mono)
    }

    /// The driver goes to sleep until the given time, or the nearest deadline that was told since it woke.
    pub(crate) fn plan(&mut self, mono: u64, next: u64) {
        self.settle(mono);
        self.planned = next;
        self.bring_forward(self.due, mono);
    }

    /// Brings the planned wake forward to a virtual time, or to now if that is past; tells whether that changed anything.
    /// What is left of the slack is then less by how long it is past, and the clock stands still once there is none.
    /// While the clock stands still for want of a proof that beats are read, nobody gets due, and the wake may wait for it.
    pub(crate) fn bring_forward(&mut self, at: u64, mono: u64) -> bool {
        self.due = self.due.min(at);
        if mono >= self.proved && at > self.at(mono) {
            return false;
        }
        let wake = at.saturating_add(self.credited).max(mono.saturating_sub(SLACK));
        let sooner = wake < self.planned;
        self.planned = self.planned.min(wake);
        sooner
    }

    /// Nobody is monitored, so the driver may sleep for as long as it likes, and canaries need not come.
    pub(crate) fn rest(&mut self, mono: u64) {
        self.settle(mono);
        (self.planned, self.proved, self.due) = (u64::MAX, u64::MAX, u64::MAX);
    }

    /// When the driver should wake, in microseconds of the monotonic clock; `None` while at rest.
    pub(crate) fn planned(&self) -> Option<u64> {
        (self.planned != u64::MAX).then_some(self.planned)
    }

    /// Credits the time beyond either bound. A bound that is still passed moves up to now, so that the clock goes on
    /// standing still and the same time is not credited again.
    fn settle(&mut self, mono: u64) {
        self.credited += mono.saturating_sub(self.latest());
        self.planned = self.planned.max(mono.saturating_sub(SLACK));
        self.proved = self.proved.max(mono);
    }

    /// How far monotonic time may go without being credited.
    fn latest(&self) -> u64 {
        self.planned.saturating_add(SLACK).min(self.proved)
    }
}

/// The bound that canaries set.
#[cfg(any(feature = "http", test))]
impl VirtualClock {
    /// A canary is on its way; if none was expected before, its answer is from now on.
    pub(crate) fn canary_sent(&mut self, mono: u64) {
        if self.proved == u64::MAX && self.planned().is_some() {
            self.proved = mono.saturating_add(TOLERANCE);
        }
    }

    /// A canary came back: credits how late it is, and expects the next, which is to be sent at the given time. Tells
    /// whether that brought the driver's wake forward.
    pub(crate) fn canary_answered(&mut self, mono: u64, next: u64) -> bool {
        let proved = if self.planned().is_some() { next.saturating_add(TOLERANCE) } else { u64::MAX };
        self.prove(mono, proved)
    }

    /// No canary is expected any more; what was waited for is credited. Tells whether that brought the driver's wake
    /// forward.
    pub(crate) fn no_canary(&mut self, mono: u64) -> bool {
        self.prove(mono, u64::MAX)
    }

    fn prove(&mut self, mono: u64, until: u64) -> bool {
        self.settle(mono);
        self.proved = until;
        self.bring_forward(self.due, mono)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wake whose work takes no time.
    fn wake(clock: &mut VirtualClock, mono: u64, next: u64) -> u64 {
        let at = clock.wake(mono);
        clock.plan(mono, next);
        at
    }

    #[test]
    fn lateness_is_credited_and_time_never_jumps() {
        let mut clock = VirtualClock::new();
        wake(&mut clock, 1_000, 2_000);
        assert_eq!(clock.at(1_500), 1_500);
        // Stopped from 1,600 to 60,000: whoever looks first sees the time of the planned wake, and the slack.
        assert_eq!(clock.at(60_000), 3_000);
        assert_eq!(wake(&mut clock, 60_000, 61_000), 3_000);
        assert_eq!(clock.at(60_500), 3_500);
        assert_eq!(clock.credited(), 57_000);
    }

    #[test]
    fn a_wake_in_time_or_within_the_slack_credits_nothing() {
        let mut clock = VirtualClock::new();
        wake(&mut clock, 0, 1_000);
        wake(&mut clock, 900, 2_000);
        wake(&mut clock, 3_000, 4_000);
        assert_eq!((clock.at(3_000), clock.credited()), (3_000, 0));
    }

    #[test]
    fn a_sooner_deadline_brings_the_wake_forward() {
        let mut clock = VirtualClock::new();
        wake(&mut clock, 0, 10_000);
        assert!(!clock.bring_forward(10_000, 0));
        assert!(clock.bring_forward(4_000, 0));
        assert_eq!(clock.at(9_000), 5_000);
    }

    #[test]
    fn a_deadline_that_is_past_wakes_now_and_takes_no_time_back() {
        let mut clock = VirtualClock::new();
        wake(&mut clock, 0, 250_000);
        assert!(clock.bring_forward(1_250, 10_000));
        assert!(clock.planned().unwrap() <= 10_000);
        assert_eq!((clock.at(10_000), clock.at(10_400)), (10_000, 10_000), "it has had its slack");
        assert_eq!((wake(&mut clock, 10_500, 20_000), clock.credited()), (10_000, 500));
        assert!(clock.bring_forward(10_100, 10_800));
        assert_eq!((clock.at(11_000), clock.at(12_000)), (10_500, 11_100), "due at 10,100, judged by 11,100");
    }

    const MS: u64 = 1_000;

    /// A clock with a driver that sleeps for 250 ms, and a canary that was answered at zero.
    fn proved_at_zero() -> VirtualClock {
        let mut clock = VirtualClock::new();
        wake(&mut clock, 0, 250 * MS);
        clock.canary_sent(0);
        clock.canary_answered(0, 100 * MS);
        clock
    }

    #[test]
    fn a_canary_that_is_late_stops_the_clock_and_credits_what_exceeds_the_tolerance() {
        let mut clock = proved_at_zero();
        clock.canary_sent(100 * MS);
        assert_eq!(clock.at(250 * MS), 250 * MS);
        for n in 1..20 {
            // The driver is in time throughout.
            assert_eq!(wake(&mut clock, n * 250 * MS, (n + 1) * 250 * MS), 250 * MS);
            assert_eq!(clock.at(n * 250 * MS + 249 * MS), 250 * MS);
        }
        clock.canary_answered(4_900 * MS, 4_900 * MS);
        assert_eq!((clock.at(4_900 * MS), clock.credited()), (250 * MS, 4_650 * MS));
        assert_eq!(clock.at(4_950 * MS), 300 * MS);
    }

    #[test]
    fn that_a_canary_is_sent_proves_nothing() {
        let mut clock = proved_at_zero();
        clock.canary_sent(240 * MS);
        clock.bring_forward(1_000 * MS, 240 * MS);
        wake(&mut clock, 250 * MS, 500 * MS);
        assert_eq!(clock.at(400 * MS), 250 * MS, "the next was to be back by then");
        clock.rest(400 * MS);
        clock.canary_sent(400 * MS);
        assert_eq!(clock.at(10_000 * MS), 9_850 * MS, "at rest none is waited for");
    }

    #[test]
    fn canaries_in_time_credit_nothing() {
        let mut clock = proved_at_zero();
        for n in 1..100 {
            clock.canary_sent(n * 100 * MS);
            clock.canary_answered(n * 100 * MS + 90 * MS, (n + 1) * 100 * MS);
            wake(&mut clock, n * 100 * MS + 90 * MS, n * 100 * MS + 340 * MS);
        }
        assert_eq!((clock.at(9_990 * MS), clock.credited()), (9_990 * MS, 0));
    }

    #[test]
    fn a_stop_that_makes_driver_and_canary_late_is_credited_once() {
        let stopped = |order: &[&str]| {
            let mut clock = proved_at_zero();
            clock.canary_sent(100 * MS);
            for (n, who) in (0..).zip(order) {
                let mono = 30_000 * MS + n * 10 * MS;
                match *who {
                    "driver" => {
                        wake(&mut clock, mono, mono + 250 * MS);
                    }
                    _ => {
                        clock.canary_answered(mono, mono);
                    }
                }
                assert_eq!(clock.at(mono), 250 * MS, "{order:?}: it stands still until both have come");
            }
            assert_eq!(clock.at(30_011 * MS), 251 * MS, "{order:?}");
            clock.credited()
        };
        assert_eq!(stopped(&["driver", "canary"]), 29_760 * MS);
        assert_eq!(stopped(&["canary", "driver"]), 29_760 * MS);
    }

    #[test]
    fn while_the_clock_stands_still_the_driver_sleeps_long_and_then_comes_in_time() {
        let mut clock = proved_at_zero();
        wake(&mut clock, 400 * MS, 650 * MS);
        let stands_at = clock.at(400 * MS);
        assert!(!clock.bring_forward(stands_at + 1, 400 * MS), "it would wake over and over");
        assert_eq!(clock.planned(), Some(650 * MS));
        assert!(clock.bring_forward(stands_at, 410 * MS), "who is due already is judged");
        wake(&mut clock, 410 * MS, 660 * MS);
        clock.bring_forward(stands_at + 2 * MS, 410 * MS);
        assert!(clock.canary_answered(500 * MS, 500 * MS));
        assert_eq!(clock.planned(), Some(502 * MS));
        assert_eq!(clock.at(600 * MS), stands_at + 3 * MS, "no later than a driver that was never held up");
    }

    #[test]
    fn where_no_canary_can_be_sent_the_clock_goes_on() {
        let mut clock = proved_at_zero();
        wake(&mut clock, 350 * MS, 600 * MS);
        clock.bring_forward(260 * MS, 350 * MS);
        assert!(clock.no_canary(400 * MS));
        assert_eq!((clock.at(400 * MS), clock.planned()), (250 * MS, Some(410 * MS)));
        wake(&mut clock, 410 * MS, 10_000 * MS);
        assert_eq!(clock.at(10_000 * MS), 9_850 * MS);
    }

    #[test]
    fn at_rest_no_canary_is_expected() {
        let mut clock = proved_at_zero();
        clock.bring_forward(240 * MS, 0);
        clock.rest(100 * MS);
        clock.canary_sent(110 * MS);
        clock.canary_answered(120 * MS, 200 * MS);
        assert_eq!(clock.planned(), None);
        assert_eq!(clock.at(10_000 * MS), 10_000 * MS);
        clock.bring_forward(10_250 * MS, 10_000 * MS);
        clock.canary_sent(10_000 * MS);
        assert_eq!(clock.at(10_200 * MS), 10_150 * MS);
    }

    #[test]
    fn work_beyond_the_slack_is_credited_and_what_fell_due_meanwhile_is_judged_next() {
        let mut clock = VirtualClock::new();
        clock.wake(10 * MS);
        assert!(!clock.bring_forward(10 * MS + 300, 10 * MS + 200), "the driver is awake");
        assert_eq!(clock.at(14 * MS), 11 * MS);
        clock.plan(14 * MS, 264 * MS);
        assert_eq!(clock.credited(), 3 * MS);
        assert!(clock.planned().unwrap() <= 14 * MS);
        assert_eq!(wake(&mut clock, 15 * MS, 264 * MS), 11 * MS + 300, "a millisecond late, and no more");
    }
}
