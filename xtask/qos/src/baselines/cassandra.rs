//! Cassandra's `FailureDetector`: phi accrual with exponential intervals.

use std::f64::consts::LN_10;

use super::window::Window;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

/// Suspects once `-log10(exp(-elapsed / mean))` exceeds the threshold.
pub(crate) struct Cassandra {
    intervals: Window,
    last: Option<f64>,
    threshold: f64,
}

impl Cassandra {
    pub(crate) const THRESHOLD: f64 = 8.0;
    pub(crate) const STATE: usize = (WINDOW + 2) * FLOAT;

    pub(crate) fn new(threshold: f64) -> Self {
        Self { intervals: Window::new(WINDOW), last: None, threshold }
    }
}

impl Detector for Cassandra {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        if let Some(last) = self.last.replace(beat.at) {
            self.intervals.push(beat.at - last);
        }
        beat.at + self.threshold * LN_10 * self.intervals.mean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_threshold_of_8_is_more_than_18_mean_intervals() {
        let mut detector = Cassandra::new(Cassandra::THRESHOLD);
        let deadlines = [1.0, 2.5, 3.0].map(|at| detector.hear(&Beat::new(1, 0.0, at), false));
        assert!((deadlines[2] - 3.0 - 18.42).abs() < 0.01);
    }
}
