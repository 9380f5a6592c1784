//! How certain a mean over seeds is.

use crate::random::Random;

const RESAMPLES: usize = 2_000;

/// A mean and the interval it lies in with 95 % confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// By bootstrap: the percentiles of the means of resamples.
pub(crate) fn estimate(values: &[f64]) -> Estimate {
    let indices = |random: &mut Random| (0..values.len()).map(|_| random.below(values.len())).collect::<Vec<_>>();
    let mean_of = |indices: &[usize]| indices.iter().map(|index| values[*index]).sum::<f64>() / indices.len() as f64;
    let (low, high) = percentiles(|random| mean_of(&indices(random)));
    Estimate { mean: mean(values), low, high }
}

/// Of the ratio of two means, resampled by seed since both saw the same traces.
pub(crate) fn ratio(numerators: &[f64], denominators: &[f64]) -> Estimate {
    let (low, high) = percentiles(|random| {
        let (mut above, mut below) = (0.0, 0.0);
        for _ in 0..numerators.len() {
            let seed = random.below(numerators.len());
            above += numerators[seed];
            below += denominators[seed];
        }
        above / below
    });
    Estimate { mean: mean(numerators) / mean(denominators), low, high }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn percentiles(mut resample: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
    let mut random = Random::new(95);
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample(&mut random)).collect();
    means.sort_by(f64::total_cmp);
    (means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_about_four_standard_errors_wide() {
        let mut random = Random::new(1);
        let values: Vec<f64> = (0..100).map(|_| 10.0 + random.normal()).collect();
        let Estimate { mean, low, high } = estimate(&values);
        assert!(low < mean && mean < high);
        assert!((0.3..0.5).contains(&(high - low)), "{low} to {high}");
    }

    #[test]
    fn what_varies_together_leaves_a_ratio_certain() {
        let values = [1.0, 5.0, 2.0, 8.0];
        let doubled = values.map(|value| value * 2.0);
        assert_eq!(ratio(&doubled, &values), Estimate { mean: 2.0, low: 2.0, high: 2.0 });
    }
}
