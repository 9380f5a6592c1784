//! Akka's `PhiAccrualFailureDetector`, with the settings of its cluster at an interval of one second.

use super::window::Window;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

const SMALLEST_DEVIATION: f64 = 0.1;

/// phi-normal with a logistic approximation of the tail, a pause added to the mean, and intervals that came too late not
/// learnt.
pub(crate) struct Akka {
    intervals: Window,
    last: Option<f64>,
    /// In deviations after the mean and the pause.
    margin: f64,
    pause: f64,
}

impl Akka {
    pub(crate) const THRESHOLD: f64 = 8.0;
    pub(crate) const PAUSE: f64 = 3.0;
    pub(crate) const STATE: usize = (WINDOW + 3) * FLOAT;

    pub(crate) fn new(threshold: f64, pause: f64) -> Self {
        let mut intervals = Window::new(WINDOW);
        // The first interval is guessed: one, give or take a quarter.
        intervals.push(0.75);
        intervals.push(1.25);
        Self { intervals, last: None, margin: margin(threshold), pause }
    }
}

impl Detector for Akka {
    fn hear(&mut self, beat: &Beat, was_suspected: bool) -> f64 {
        if let Some(last) = self.last.replace(beat.at)
            && !was_suspected
        {
            self.intervals.push(beat.at - last);
        }
        let deviation = self.intervals.deviation().max(SMALLEST_DEVIATION);
        beat.at + self.intervals.mean() + self.pause + self.margin * deviation
    }
}

/// The y at which `-log10(e / (1 + e))`, with `e = exp(-y (1.5976 + 0.070566 y^2))`, is the threshold.
fn margin(threshold: f64) -> f64 {
    let tail = 10.0_f64.powf(-threshold);
    let wanted = (1.0 - tail).ln() - tail.ln();
    let (mut low, mut high) = (-100.0, 100.0);
    for _ in 0..100 {
        let y = f64::midpoint(low, high);
        if y * (1.5976 + 0.070566 * y * y) < wanted {
            low = y;
        } else {
            high = y;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_akka_suspects_four_and_a_half_intervals_after_a_regular_beat() {
        let mut detector = Akka::new(Akka::THRESHOLD, Akka::PAUSE);
        let last = (1..=2_000).map(|tick| detector.hear(&Beat::new(tick, 0.0, tick as f64), false)).last().unwrap();
        assert!((last - 2_000.0 - 4.52).abs() < 0.01, "{last}");
    }

    #[test]
    fn an_interval_that_was_too_long_is_not_learnt() {
        let mut detector = Akka::new(1.0, 0.0);
        let regular = (1..=2_000).map(|tick| detector.hear(&Beat::new(tick, 0.0, tick as f64), false)).last().unwrap();
        let after_an_outage = detector.hear(&Beat::new(2_100, 0.0, 2_100.0), true);
        assert!((after_an_outage - 2_100.0 - (regular - 2_000.0)).abs() < 1e-9);
    }
}
