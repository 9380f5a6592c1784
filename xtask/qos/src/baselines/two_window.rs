//! Tomsic, Sens, Garcia, Arantes, Sopena: 2W-FD (IPDPS 2015).

use super::nfd_e::Expected;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

/// NFD-E over a short and a long window, whichever expects the next beat later.
pub(crate) struct TwoWindow {
    newest: Expected,
    long: Expected,
    alpha: f64,
}

impl TwoWindow {
    pub(crate) const STATE: usize = (WINDOW + 3) * FLOAT;

    pub(crate) fn new(alpha: f64) -> Self {
        Self { newest: Expected::over(1), long: Expected::over(WINDOW), alpha }
    }
}

impl Detector for TwoWindow {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        self.newest.after(beat).max(self.long.after(beat)) + self.alpha
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_both_windows_counts() {
        let mut detector = TwoWindow::new(0.0);
        for tick in 1..=999 {
            detector.hear(&Beat::new(tick, tick as f64, tick as f64 + 0.1), false);
        }
        let after_late = detector.hear(&Beat::new(1_000, 1_000.0, 1_000.6), false);
        assert!((after_late - 1_001.6).abs() < 1e-9);
        let after_early = detector.hear(&Beat::new(1_001, 1_001.0, 1_001.0), false);
        assert!((after_early - 1_002.1).abs() < 1e-3);
    }
}
