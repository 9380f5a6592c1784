//! Hayashibara, Defago, Yared, Katayama: The phi accrual failure detector (SRDS 2004).

use super::window::Window;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

/// Below this the deviation is taken for it, as implementations do; the paper has no such bound.
const SMALLEST_DEVIATION: f64 = 0.1;

/// Suspects once the time since the newest beat is improbable, if intervals are normally distributed.
pub(crate) struct PhiNormal {
    intervals: Window,
    last: Option<f64>,
    quantile: f64,
}

impl PhiNormal {
    /// A threshold of 8: `Q(5.612) = 1e-8`.
    pub(crate) const QUANTILE: f64 = 5.612;
    pub(crate) const STATE: usize = (WINDOW + 3) * FLOAT;

    /// At the threshold `Phi = -log10(Q(quantile))`, where Q is the upper tail of the standard normal distribution. Floats
    /// hold Phi up to 300 or so, a quantile of 37; what lies beyond is granted to the method.
    pub(crate) fn at_quantile(quantile: f64) -> Self {
        Self { intervals: Window::new(WINDOW), last: None, quantile }
    }
}

impl Detector for PhiNormal {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        if let Some(last) = self.last.replace(beat.at) {
            self.intervals.push(beat.at - last);
        }
        let deviation = self.intervals.deviation().max(SMALLEST_DEVIATION);
        beat.at + self.intervals.mean() + self.quantile * deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_so_many_deviations_after_the_mean() {
        let mut detector = PhiNormal::at_quantile(2.0);
        let deadlines = [1.0, 1.5, 3.0].map(|at| detector.hear(&Beat::new(1, 0.0, at), false));
        // Intervals 0.5 and 1.5: mean 1, deviation 0.5.
        assert!((deadlines[2] - (3.0 + 1.0 + 2.0 * 0.5)).abs() < 1e-9);
    }

    #[test]
    fn regular_beats_have_the_smallest_deviation() {
        let mut detector = PhiNormal::at_quantile(5.0);
        let deadlines = [1.0, 2.0, 3.0].map(|at| detector.hear(&Beat::new(1, 0.0, at), false));
        assert!((deadlines[2] - 4.5).abs() < 1e-9);
    }
}
