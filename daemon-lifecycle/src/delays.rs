use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The longest, as a fraction of it, that somebody is let wait beyond the time it was told to wait.
const LATER: f64 = 0.1;

/// The pauses between attempts, without end: `initial * multiplier^n`, capped, each jittered by itself.
///
/// The jitter is our own because backon's only ever adds, and up to the whole delay.
#[derive(Debug)]
pub(crate) struct Delays {
    series: ExponentialBackoff,
    max: Duration,
    jitter: f64,
    random: fastrand::Rng,
}

impl Delays {
    pub(crate) fn new(initial: Duration, multiplier: f64, max: Duration, jitter: f64, seed: Option<u64>) -> Self {
        let series = ExponentialBuilder::new()
            .with_min_delay(initial)
            // An infinite factor would make something of nothing.
            .with_factor((multiplier as f32).min(f32::MAX))
            .with_max_delay(max)
            .without_max_times()
            .build();
        Self { series, max, jitter, random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed) }
    }

    /// Later than `delay` by up to a tenth, or by less where the jitter is less; never sooner.
    pub(crate) fn later(&mut self, delay: Duration) -> Duration {
        delay.saturating_add(delay.mul_f64(self.jitter.min(LATER) * self.random.f64()))
    }

    /// Drawn evenly from as far below `delay` as above it, or up to the cap where that is less. What would be above the
    /// cap is not cut to it: many processes at the cap must not end up in step.
    fn jittered(&mut self, delay: Duration) -> Duration {
        // A delay for ever is more than a float can halve and double.
        let swing = Duration::try_from_secs_f64(delay.as_secs_f64() * self.jitter).unwrap_or(Duration::MAX);
        let shortest = delay.saturating_sub(swing);
        let longest = delay.saturating_add(swing).min(self.max);
        shortest + (longest - shortest).mul_f64(self.random.f64())
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // backon applies its cap only from the second delay on.
        let delay = rounded(self.series.next()?).min(self.max);
        Some(self.jittered(delay))
    }
}

/// To tenths of a millisecond, since backon computes in `f32`, where twice 100 ms is 200.000003 ms.
fn rounded(delay: Duration) -> Duration {
    let tenths = (u64::from(delay.subsec_nanos()) + 50_000) / 100_000;
    Duration::from_secs(delay.as_secs()).saturating_add(Duration::from_micros(100 * tenths))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Delays;

    const MS: Duration = Duration::from_millis(1);

    fn millis(initial: u32, multiplier: f64, max: u32) -> Vec<f64> {
        let delays = Delays::new(initial * MS, multiplier, max * MS, 0.0, None);
        delays.take(5).map(|delay| delay.as_micros() as f64 / 1_000.0).collect()
    }

    #[test]
    fn without_jitter_the_series_is_exponential_up_to_the_cap() {
        assert_eq!(millis(100, 1.5, 10_000), [100.0, 150.0, 225.0, 337.5, 506.3]);
        assert_eq!(millis(100, 2.0, 500), [100.0, 200.0, 400.0, 500.0, 500.0]);
        assert_eq!(millis(100, 1.0, 500), [100.0; 5]);
        assert_eq!(millis(0, 2.0, 500), [0.0; 5]);
    }

    #[test]
    fn a_first_delay_above_the_cap_is_cut_to_it() {
        assert_eq!(millis(900, 2.0, 500), [500.0; 5]);
    }

    #[test]
    fn an_overflowing_series_stays_at_the_cap() {
        for multiplier in [1e30, 1e300, f64::MAX] {
            assert_eq!(millis(100, multiplier, 500), [100.0, 500.0, 500.0, 500.0, 500.0]);
            assert_eq!(millis(0, multiplier, 500), [0.0; 5]);
        }
        let delays = Delays::new(MS, 2.0, Duration::MAX, 1.0, Some(1));
        assert!(delays.take(500).all(|delay| delay <= Duration::MAX));
    }

    #[test]
    fn every_jittered_delay_stays_within_the_fraction_and_below_the_cap() {
        for seed in 0..200 {
            let plain = Delays::new(100 * MS, 1.5, 1_000 * MS, 0.0, None);
            let jittered = Delays::new(100 * MS, 1.5, 1_000 * MS, 0.1, Some(seed));
            for (plain, jittered) in plain.zip(jittered).take(30) {
                assert!(jittered >= plain.mul_f64(0.899_999), "{plain:?} {jittered:?}");
                assert!(jittered <= plain.mul_f64(1.100_001), "{plain:?} {jittered:?}");
                assert!(jittered <= 1_000 * MS, "{jittered:?}");
            }
        }
    }

    /// The first delay of each of 10,000 seeds, in milliseconds, sorted.
    fn drawn(initial: u32, max: u32, jitter: f64) -> Vec<f64> {
        let first = |seed| Delays::new(initial * MS, 1.5, max * MS, jitter, Some(seed)).next().expect("endless");
        let mut drawn: Vec<f64> = (0..10_000).map(|seed| first(seed).as_secs_f64() * 1_000.0).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    /// Whether as many as should be lie below each tenth of the way from `low` to `high`, to two in a hundred.
    fn expect_even(drawn: &[f64], low: f64, high: f64) {
        assert!(drawn[0] >= low && drawn[drawn.len() - 1] <= high, "{low} to {high}");
        for tenth in 1..10 {
            let edge = low + (high - low) * f64::from(tenth) / 10.0;
            let below = drawn.partition_point(|delay| *delay < edge) as f64 / drawn.len() as f64;
            assert!((below - f64::from(tenth) / 10.0).abs() < 0.02, "{below} of all below {edge}");
        }
    }

    #[test]
    fn full_jitter_draws_evenly_up_to_twice_the_delay_or_up_to_the_cap() {
        expect_even(&drawn(100, 10_000, 1.0), 0.0, 200.0);
        expect_even(&drawn(700, 1_000, 1.0), 0.0, 1_000.0);
        expect_even(&drawn(1_000, 1_000, 1.0), 0.0, 1_000.0);
    }

    #[test]
    fn less_jitter_draws_evenly_from_either_side_and_below_the_cap_alone() {
        expect_even(&drawn(100, 10_000, 0.1), 90.0, 110.0);
        expect_even(&drawn(950, 1_000, 0.1), 855.0, 1_000.0);
        expect_even(&drawn(1_000, 1_000, 0.1), 900.0, 1_000.0);
    }

    #[test]
    fn a_time_that_was_asked_for_is_exceeded_by_a_tenth_at_most() {
        for (jitter, longest) in [(0.0, 20_000), (0.05, 21_000), (0.1, 22_000), (1.0, 22_000)] {
            let later = |seed| Delays::new(MS, 1.5, MS, jitter, Some(seed)).later(20_000 * MS);
            let later: Vec<Duration> = (0..100).map(later).collect();
            assert!(later.iter().all(|delay| (20_000 * MS..=longest * MS).contains(delay)), "{jitter}: {later:?}");
            assert!(later.iter().any(|delay| *delay + 200 * MS > longest * MS), "{jitter}: {later:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let series =
            |seed| -> Vec<Duration> { Delays::new(100 * MS, 1.5, 10_000 * MS, 0.1, Some(seed)).take(20).collect() };
        assert_eq!(series(42), series(42));
        assert_ne!(series(42), series(43));
    }
}
