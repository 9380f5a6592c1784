//! Chen, Toueg, Aguilera: On the quality of service of failure detectors (IEEE TC 51(5), 2002), NFD-E.

use super::window::Window;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

/// When the next beat is expected: the mean of what the newest beats lay behind their slots, added to its slot.
pub(super) struct Expected {
    offsets: Window,
}

impl Expected {
    pub(super) fn over(beats: usize) -> Self {
        Self { offsets: Window::new(beats) }
    }

    pub(super) fn after(&mut self, beat: &Beat) -> f64 {
        self.offsets.push(beat.at - beat.tick as f64);
        self.offsets.mean() + (beat.tick + 1) as f64
    }
}

/// Suspects `alpha` after the expected arrival.
pub(crate) struct NfdE {
    expected: Expected,
    alpha: f64,
}

impl NfdE {
    pub(crate) const STATE: usize = (WINDOW + 2) * FLOAT;

    pub(crate) fn new(alpha: f64) -> Self {
        Self { expected: Expected::over(WINDOW), alpha }
    }
}

impl Detector for NfdE {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        self.expected.after(beat) + self.alpha
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_late_beat_moves_the_expected_arrival_by_its_share_alone() {
        let mut detector = NfdE::new(0.5);
        for tick in 1..=999 {
            detector.hear(&Beat::new(tick, tick as f64, tick as f64 + 0.1), false);
        }
        let deadline = detector.hear(&Beat::new(1_000, 1_000.0, 1_000.6), false);
        assert!((deadline - (1_001.0 + 0.1 + 0.5 / 1_000.0 + 0.5)).abs() < 1e-9);
    }
}
