//! The adaptive detector: an allowance learnt from the arrivals of one member, in constant memory.
//!
//! A member that numbers its beats by schedule slot ("tick") is expected at `tick x interval + offset`; the offset is an
//! exponential average of what its beats showed, and the newest one if that is later: after Chen, Toueg and Aguilera (IEEE
//! TC 51(5), 2002), whose expected arrival averages a window, and Tomsic et al. (IPDPS 2015), who take the later of a short
//! and a long window. To that come four mean deviations, as in Jacobson's retransmission timer (SIGCOMM 1988), and the
//! largest recent gap, which decays. All of it is integer arithmetic, so that the same arrivals give the same deadlines.

mod suspicion;

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
    interval: u64,
    /// The average of arrival less tick times interval.
    offset: i64,
    /// The average distance from that.
    deviation: u64,
    /// The largest recent gap beyond the interval.
    peak: u64,
    last: Option<u64>,
    last_tick: Option<u64>,
    /// How many beats with ticks were learnt from, as far as it matters.
    ticked: u32,
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
        // Ticks that go back are those of another schedule; so is an offset that a stop of either side has moved.
        let is_same_schedule = self.last_tick.is_some_and(|last| tick > last) && tells_gap;
        self.last_tick = Some(tick);
        if !is_same_schedule {
            self.offset = offset;
            self.ticked = self.ticked.max(1);
            return 0;
        }
        self.ticked = (self.ticked + 1).min(LONGEST_MEMORY as u32);
        let share = i64::from(self.ticked);
        let error = offset.saturating_sub(self.offset);
        self.deviation =
            self.deviation.saturating_add_signed((error.unsigned_abs() as i64 - self.deviation as i64) / share);
        self.offset = self.offset.saturating_add(error / share);
        self.offset.saturating_sub(offset).max(0).unsigned_abs()
    }
}
