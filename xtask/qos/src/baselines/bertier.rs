//! Bertier, Marin, Sens: Implementation and performance evaluation of an adaptable failure detector (DSN 2002).

use super::nfd_e::Expected;
use super::{FLOAT, WINDOW};
use crate::detector::Detector;
use crate::trace::Beat;

const GAMMA: f64 = 0.1;
const BETA: f64 = 1.0;

/// NFD-E with the margin of Jacobson's retransmission timer: `beta x delay + phi x variation`.
pub(crate) struct Bertier {
    expected: Expected,
    next: Option<f64>,
    delay: f64,
    variation: f64,
    phi: f64,
}

impl Bertier {
    /// What the paper uses.
    pub(crate) const PHI: f64 = 4.0;
    pub(crate) const STATE: usize = (WINDOW + 5) * FLOAT;

    pub(crate) fn new(phi: f64) -> Self {
        Self { expected: Expected::over(WINDOW), next: None, delay: 0.0, variation: 0.0, phi }
    }
}

impl Detector for Bertier {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        if let Some(next) = self.next {
            let error = beat.at - next - self.delay;
            self.delay += GAMMA * error;
            self.variation += GAMMA * (error.abs() - self.variation);
        }
        let next = self.expected.after(beat);
        self.next = Some(next);
        next + BETA * self.delay + self.phi * self.variation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_moves_delay_and_variation_by_a_tenth() {
        let mut detector = Bertier::new(Bertier::PHI);
        assert_eq!(detector.hear(&Beat::new(1, 1.0, 1.0), false), 2.0);
        // Late by 0.5: delay and variation are 0.05, the mean offset is 0.25.
        let deadline = detector.hear(&Beat::new(2, 2.0, 2.5), false);
        assert!((deadline - (3.25 + 0.05 + 4.0 * 0.05)).abs() < 1e-9);
    }
}
