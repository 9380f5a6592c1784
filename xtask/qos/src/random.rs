//! Draws from the distributions of which traces are made.

use std::f64::consts::TAU;

/// The same seed draws the same.
pub(crate) struct Random {
    uniform: fastrand::Rng,
    spare_normal: Option<f64>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { uniform: fastrand::Rng::with_seed(seed), spare_normal: None }
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.uniform.f64() < probability
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.uniform.usize(..count)
    }

    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform.f64()
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.positive().ln()
    }

    pub(crate) fn pareto(&mut self, minimum: f64, exponent: f64) -> f64 {
        minimum * self.positive().powf(-1.0 / exponent)
    }

    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Standard normal, two at a time by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * self.positive().ln()).sqrt();
        let (sine, cosine) = (TAU * self.uniform.f64()).sin_cos();
        self.spare_normal = Some(radius * sine);
        radius * cosine
    }

    /// In (0, 1], so that its logarithm is finite.
    fn positive(&mut self) -> f64 {
        1.0 - self.uniform.f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 400_000;

    fn mean_and_deviation(mut draw: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
        let mut random = Random::new(7);
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw(&mut random)).collect();
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        (mean, variance.sqrt())
    }

    fn assert_near((mean, deviation): (f64, f64), expected: (f64, f64)) {
        assert!((mean - expected.0).abs() < 0.01, "mean {mean}");
        assert!((deviation - expected.1).abs() < 0.02, "deviation {deviation}");
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        assert_near(mean_and_deviation(Random::normal), (0.0, 1.0));
        assert_near(mean_and_deviation(|random| random.exponential(0.5)), (0.5, 0.5));
        assert_near(mean_and_deviation(|random| random.between(3.0, 8.0)), (5.5, 25.0_f64.sqrt() / 12.0_f64.sqrt()));
        // Of a Pareto with minimum x and exponent a, the mean is ax/(a-1); with a = 5 its deviation is x/4 * sqrt(5/3).
        assert_near(mean_and_deviation(|random| random.pareto(1.0, 5.0)), (1.25, (5.0_f64 / 3.0).sqrt() / 4.0));
        // ln of a lognormal is normal around ln of the median.
        assert_near(mean_and_deviation(|random| random.lognormal(2.0, 0.8).ln()), (2.0_f64.ln(), 0.8));
    }
}
