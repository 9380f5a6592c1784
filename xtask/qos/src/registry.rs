//! The registry's own code, from its own files: what is measured is what runs.

use crate::detector::Detector;
use crate::trace::Beat;

#[expect(dead_code, reason = "the registry uses more of it than is measured here")]
#[expect(unexpected_cfgs, reason = "the registry's features are none of this package")]
#[path = "../../../heartbeat-registry/src/core"]
mod core {
    pub(super) mod adaptive;
    pub(super) mod detector;
    pub(super) mod virtual_clock;
}

use self::core::adaptive::{Arrival, Arrivals};
use self::core::detector::Edges;
pub(crate) use self::core::virtual_clock::VirtualClock;

/// The interval in microseconds: so large that rounding to them is nothing.
const INTERVAL: u64 = 1_000_000_000;

/// What the fixed detector keeps of a member: when its newest beat arrived.
pub(crate) const FIXED_STATE: usize = size_of::<u64>();
pub(crate) const ADAPTIVE_STATE: usize = size_of::<Arrivals>();

/// Failed so many intervals after the newest beat.
pub(crate) struct Fixed {
    failed: f64,
}

impl Fixed {
    pub(crate) fn new(intervals: f64) -> Self {
        let threshold = intervals.floor();
        let allowance = micros(intervals - threshold);
        Self { failed: intervals_of(Edges::fixed(INTERVAL, allowance, threshold as u64).failed) }
    }
}

impl Detector for Fixed {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        beat.at + self.failed
    }
}

/// Failed a number of intervals and what the arrivals taught after the newest beat, or at the cap.
pub(crate) struct Adaptive {
    arrivals: Arrivals,
    origin: Option<(u64, f64)>,
    threshold: f64,
    cap: f64,
}

impl Adaptive {
    /// `missed` is the m of `expected arrival + m x interval + margin`; the cap is in intervals after the newest beat.
    pub(crate) fn new(missed: f64, cap: f64) -> Self {
        Self { arrivals: Arrivals::new(INTERVAL, INTERVAL / 4), origin: None, threshold: missed + 1.0, cap }
    }
}

impl Detector for Adaptive {
    fn hear(&mut self, beat: &Beat, was_suspected: bool) -> f64 {
        let (first_tick, first_at) = *self.origin.get_or_insert((beat.tick, beat.at.floor()));
        let allowance = self.arrivals.learn(Arrival {
            at: micros(beat.at - first_at),
            tick: Some(beat.tick - first_tick),
            tells_gap: !was_suspected && !beat.after_blindness,
        });
        beat.at + (self.threshold + intervals_of(allowance)).min(self.cap)
    }
}

fn micros(intervals: f64) -> u64 {
    (intervals * INTERVAL as f64).round() as u64
}

fn intervals_of(micros: u64) -> f64 {
    micros as f64 / INTERVAL as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_detector_fails_at_any_real_number_of_intervals() {
        for intervals in [0.25, 1.0, 2.98, 7.5] {
            let deadline = Fixed::new(intervals).hear(&Beat::new(1, 10.0, 10.5), false);
            assert!((deadline - 10.5 - intervals).abs() < 1e-8);
        }
    }

    #[test]
    fn punctual_beats_leave_the_adaptive_detector_little_to_allow() {
        let mut adaptive = Adaptive::new(2.0, f64::INFINITY);
        let deadline = (1..=5_000).map(|tick| adaptive.hear(&Beat::new(tick, tick as f64, tick as f64 + 0.25), false));
        let last = deadline.last().unwrap();
        assert!((last - 5_000.25 - 3.0).abs() < 0.001, "{last}");
    }

    #[test]
    fn the_cap_bounds_what_noise_can_teach() {
        let mut adaptive = Adaptive::new(2.0, 3.5);
        for tick in 1..=1_000 {
            let at = tick as f64 + if tick % 2 == 0 { 0.9 } else { 0.0 };
            let deadline = adaptive.hear(&Beat::new(tick, tick as f64, at), false);
            assert!(deadline <= at + 3.5);
        }
    }
}
