//! The adaptive detector: an allowance learnt from the arrivals of one member, in constant memory.
//!
//! A member that numbers its beats by schedule slot ("tick") is expected at `tick x interval + offset`; the offset is an
//! exponential average of what its beats showed, and the newest one if that is later: after Chen, Toueg and Aguilera (IEEE
//! TC 51(5), 2002), whose expected arrival averages a window, and Tomsic et al. (IPDPS 2015), who take the later of a short
//! and a long window. To that come four mean deviations, as in Jacobson's retransmission timer (SIGCOMM 1988), and the
//! largest recent gap, which decays. How often it is wrong is measured by `cargo xtask qos`. All of it is integer
//! arithmetic, so that the same arrivals give the same deadlines.

/// The largest share of one arrival in the averages: 1/32.
const LONGEST_MEMORY: u64 = 32;
/// The peak shrinks by 1/512 with each beat.
const PEAK_DECAY: u64 = 512;
/// No gap counts for more than this many intervals, so that an outage poisons nothing.
const LARGEST_GAP: u64 = 3;
/// How many mean deviations are allowed.
const DEVIATIONS: u64 = 4;

/// What was learnt from the arrivals of one run of a member. Times are microseconds of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrivals {
    pub(super) interval: u64,
    /// The average of arrival less tick times interval.
    pub(super) offset: i64,
    /// The average distance from that.
    pub(super) deviation: u64,
    /// The largest recent gap beyond the interval.
    peak: u64,
    pub(super) last: Option<u64>,
    pub(super) last_tick: Option<u64>,
    /// How many beats with ticks were learnt from, as far as it matters.
    pub(super) ticked: u32,
}

/// One arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: u64,
    /// The slot it was sent for; `None` for a beat off schedule.
    pub(crate) tick: Option<u64>,
    /// Whether the gap before it says anything of the member: not after it had failed, nor if the registry or the member's
    /// machine was stopped meanwhile.
    pub(crate) tells_gap: bool,
}

impl Arrivals {
    /// Before the first beat at an interval nothing is known, so that the fixed allowance is the gap to start from.
    pub(crate) const fn new(interval: u64, allowance: u64) -> Self {
        Self { interval, offset: 0, deviation: 0, peak: allowance, last: None, last_tick: None, ticked: 0 }
    }

    pub(crate) const fn interval(&self) -> u64 {
        self.interval
    }

    /// Learns from an arrival, and returns what is allowed beyond each multiple of the interval until the next one.
    pub(crate) fn learn(&mut self, arrival: Arrival) -> u64 {
        let Arrival { at, tick, tells_gap } = arrival;
        if let Some(last) = self.last.filter(|_| tells_gap) {
            let gap = at.saturating_sub(last).saturating_sub(self.interval);
            self.peak = (self.peak - self.peak.div_ceil(PEAK_DECAY)).max(gap.min(LARGEST_GAP * self.interval));
        }
        self.last = Some(at);
        let lag = tick.map_or(0, |tick| self.learn_offset(at, tick, tells_gap));
        lag + DEVIATIONS * self.deviation.min(self.interval) + self.peak
    }

    /// Returns by how much the beat came sooner than is usual: the next may be that much later.
    fn learn_offset(&mut self, at: u64, tick: u64, tells_gap: bool) -> u64 {
        let scheduled = i64::try_from(u128::from(tick) * u128::from(self.interval)).unwrap_or(i64::MAX);
        let offset = (at as i64).saturating_sub(scheduled);
        let error = offset.saturating_sub(self.offset);
        let ascends = self.last_tick.is_some_and(|last| tick > last);
        self.last_tick = Some(tick);
        // Ticks that go back are those of another schedule, and so is an offset further away than an interval: to average
        // it in would allow too much for dozens of beats. After a stop that was credited, offsets are smaller for good.
        if !ascends || error.unsigned_abs() > self.interval || (!tells_gap && error.is_negative()) {
            self.offset = offset;
            self.ticked = self.ticked.max(1);
            return 0;
        }
        // The beat that ends an outage is late for the outage's sake.
        if tells_gap {
            self.average_in(error);
        }
        self.offset.saturating_sub(offset).max(0).unsigned_abs()
    }

    fn average_in(&mut self, error: i64) {
        self.ticked = (self.ticked + 1).min(LONGEST_MEMORY as u32);
        let share = i64::from(self.ticked);
        let distance = error.unsigned_abs() as i64;
        self.deviation = self.deviation.saturating_add_signed((distance - self.deviation as i64) / share);
        self.offset = self.offset.saturating_add(error / share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const MILLISECOND: u64 = 1_000;

    /// A member that beats each second, and the clock it is heard by.
    struct Member {
        arrivals: Arrivals,
        tick: u64,
        /// What its schedule lies behind that clock.
        moved: u64,
    }

    impl Member {
        fn new() -> Self {
            Self { arrivals: Arrivals::new(SECOND, SECOND / 4), tick: 0, moved: 10 * SECOND }
        }

        /// The next beat, so long after it was sent; returns the allowance.
        fn beat(&mut self, delay: u64) -> u64 {
            self.beat_after(1, delay, true)
        }

        /// A beat after `ticks` intervals; all between are lost.
        fn beat_after(&mut self, ticks: u64, delay: u64, tells_gap: bool) -> u64 {
            self.tick += ticks;
            let at = self.moved + self.tick * SECOND + delay;
            self.arrivals.learn(Arrival { at, tick: Some(self.tick), tells_gap })
        }

        /// Many beats, of which one in three comes later by `noise`; returns the largest allowance of the last hundred.
        fn beats(&mut self, count: u64, noise: u64) -> u64 {
            let allowances: Vec<u64> =
                (0..count).map(|beat| self.beat(100 * MILLISECOND + if beat % 3 == 0 { noise } else { 0 })).collect();
            allowances.into_iter().rev().take(100).max().unwrap()
        }
    }

    #[test]
    fn regular_beats_teach_to_allow_next_to_nothing() {
        let mut member = Member::new();
        let first = member.beat(0);
        assert_eq!(first, SECOND / 4);
        assert!(member.beats(4_000, 0) < MILLISECOND);
    }

    #[test]
    fn late_beats_raise_the_allowance_and_regular_ones_lower_it_again() {
        let mut member = Member::new();
        let quiet = member.beats(3_000, 0);
        let noisy = member.beats(100, 600 * MILLISECOND);
        assert!(quiet < MILLISECOND && noisy > SECOND, "{quiet} and {noisy}");
        assert!(member.beats(3_000, 0) < 5 * MILLISECOND);
    }

    #[test]
    fn a_beat_that_comes_sooner_than_usual_allows_the_next_as_much_more() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let usual = member.beat(100 * MILLISECOND);
        let after_a_sooner_one = member.beat(40 * MILLISECOND);
        assert!(after_a_sooner_one >= usual + 58 * MILLISECOND, "{usual} and {after_a_sooner_one}");
    }

    #[test]
    fn an_outage_longer_than_three_intervals_counts_as_three() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let allowed = member.beat_after(100, 100 * MILLISECOND, true);
        assert!((3 * SECOND..3 * SECOND + MILLISECOND).contains(&allowed), "{allowed}");
    }

    #[test]
    fn a_gap_that_tells_nothing_teaches_nothing() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let before = member.beat(100 * MILLISECOND);
        for delay in [100, 900, 5_000] {
            let after_the_outage = member.beat_after(100, delay * MILLISECOND, false);
            assert!(after_the_outage <= before + MILLISECOND, "{after_the_outage}");
        }
    }

    #[test]
    fn ticks_that_go_back_restart_the_offset() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        // The new schedule begins half a second later than the old one would have gone on.
        member.moved += member.tick * SECOND + 500 * MILLISECOND;
        member.tick = 0;
        let allowances = [member.beat(0), member.beat(0), member.beat(0)];
        // The gap of so much more is learnt, less the usual delay, and nothing else.
        assert!(allowances.iter().all(|allowed| (395..405).contains(&(allowed / MILLISECOND))), "{allowances:?}");
    }

    #[test]
    fn a_stop_that_was_credited_moves_the_schedule_and_allows_no_more() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let before = member.beat(100 * MILLISECOND);
        // The virtual clock lost seven seconds and a half.
        member.moved -= 7 * SECOND + 500 * MILLISECOND;
        let allowances = [member.beat_after(8, 100 * MILLISECOND, false), member.beat(100 * MILLISECOND)];
        assert!(allowances.iter().all(|allowed| *allowed <= before), "{before}, then {allowances:?}");
    }

    #[test]
    fn a_stop_of_less_than_an_interval_that_was_credited_allows_no_more_either() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let before = member.beat(100 * MILLISECOND);
        member.moved -= 500 * MILLISECOND;
        let allowances = [member.beat_after(1, 100 * MILLISECOND, false), member.beat(100 * MILLISECOND)];
        assert!(allowances.iter().all(|allowed| *allowed <= before), "{before}, then {allowances:?}");
    }

    #[test]
    fn after_a_beat_that_an_outage_made_late_those_that_come_in_time_are_no_sooner_than_usual() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let before = member.beat(100 * MILLISECOND);
        member.beat_after(1, 600 * MILLISECOND, false);
        let after = member.beat(100 * MILLISECOND);
        assert!(after <= before + MILLISECOND, "{before}, then {after}");
    }

    #[test]
    fn an_offset_is_averaged_in_up_to_an_interval_away_and_one_of_another_schedule_is_not() {
        let after = |ticks: u64, delay: u64| {
            let mut member = Member::new();
            member.beats(3_000, 0);
            member.beat_after(ticks, 100 * MILLISECOND + delay, true);
            member.arrivals.deviation
        };
        let usual = after(1, 0);
        assert!(after(1, SECOND) > usual);
        assert_eq!(after(1, SECOND + 1), usual);
        // The same slot again: a schedule that began anew.
        assert_eq!(after(0, SECOND / 2), usual);
    }

    #[test]
    fn a_member_that_was_suspended_is_allowed_little_more_once_it_goes_on() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        member.moved += 3_600 * SECOND;
        let allowances = [member.beat_after(1, 0, false), member.beat(0), member.beat(0)];
        assert!(allowances.iter().all(|allowed| *allowed < 200 * MILLISECOND), "{allowances:?}");
    }

    #[test]
    fn one_tick_far_ahead_allows_no_more_for_long() {
        let mut member = Member::new();
        member.beats(3_000, 0);
        let at = member.moved + (member.tick + 1) * SECOND + 100 * MILLISECOND;
        member.arrivals.learn(Arrival { at, tick: Some(u64::MAX), tells_gap: true });
        member.tick += 1;
        assert!(member.beats(100, 0) < 2 * MILLISECOND);
    }

    #[test]
    fn without_ticks_gaps_alone_are_learnt() {
        let mut arrivals = Arrivals::new(SECOND, 0);
        let mut learn = |at| arrivals.learn(Arrival { at, tick: None, tells_gap: true });
        assert_eq!([learn(SECOND), learn(2 * SECOND), learn(3_500 * MILLISECOND)], [0, 0, SECOND / 2]);
    }

    #[test]
    fn the_same_arrivals_give_the_same_allowances() {
        let run = || {
            let mut member = Member::new();
            (0..1_000).map(|beat| member.beat(beat * 7_919 % 800 * MILLISECOND)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}
