//! chitchat's `FailureDetector`, with its defaults at an interval of one second.

use super::window::Window;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

/// Longer intervals are not learnt.
const LONGEST_INTERVAL: f64 = 10.0;
/// The mean begins as if this many intervals of that length had been seen.
const PRIOR_WEIGHT: f64 = 5.0;
const PRIOR: f64 = 5.0;

/// Suspects a number of mean intervals after the newest beat, and then forgets all intervals.
pub(crate) struct Chitchat {
    intervals: Window,
    last: Option<f64>,
    threshold: f64,
}

impl Chitchat {
    pub(crate) const THRESHOLD: f64 = 8.0;
    pub(crate) const STATE: usize = (WINDOW + 2) * FLOAT;

    pub(crate) fn new(threshold: f64) -> Self {
        Self { intervals: Window::new(WINDOW), last: None, threshold }
    }
}

impl Detector for Chitchat {
    fn hear(&mut self, beat: &Beat, was_suspected: bool) -> f64 {
        if was_suspected {
            self.intervals.clear();
        }
        if let Some(last) = self.last.replace(beat.at)
            && beat.at - last <= LONGEST_INTERVAL
        {
            self.intervals.push(beat.at - last);
        }
        if self.intervals.len() == 0 {
            // No verdict without an interval, and so not alive.
            return beat.at;
        }
        let weight = self.intervals.len() as f64 + PRIOR_WEIGHT;
        beat.at + self.threshold * (self.intervals.sum() + PRIOR_WEIGHT * PRIOR) / weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prior_weighs_less_with_each_interval() {
        let mut detector = Chitchat::new(2.0);
        let deadlines = [1.0, 2.0, 3.0].map(|at| detector.hear(&Beat::new(1, 0.0, at), false));
        assert_eq!(deadlines[0], 1.0);
        assert!((deadlines[2] - 3.0 - 2.0 * (2.0 + 25.0) / 7.0).abs() < 1e-9);
    }

    #[test]
    fn suspicion_forgets_and_an_outage_teaches_nothing() {
        let mut detector = Chitchat::new(2.0);
        for tick in 1..=100 {
            detector.hear(&Beat::new(tick, 0.0, tick as f64), false);
        }
        assert_eq!(detector.hear(&Beat::new(150, 0.0, 150.0), true), 150.0);
        let next = detector.hear(&Beat::new(151, 0.0, 151.0), false);
        assert!((next - 151.0 - 2.0 * 26.0 / 6.0).abs() < 1e-9);
    }
}
