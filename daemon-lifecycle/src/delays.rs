use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

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

    /// By up to the fraction later than `delay`, never sooner.
    pub(crate) fn later(&mut self, delay: Duration) -> Duration {
        delay.saturating_add(delay.mul_f64(self.jitter * self.random.f64()))
    }

    /// Within `jitter` of `delay` and never above the cap, from which it is reflected rather than cut off: many
    /// processes at the cap must not end up in step.
    fn jittered(&mut self, delay: Duration) -> Duration {
        let swing = delay.mul_f64(self.jitter * self.random.f64());
        let later = self.random.bool() && swing <= self.max - delay;
        if later { delay + swing } else { delay.saturating_sub(swing) }
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

    #[test]
    fn jitter_goes_both_ways_and_spreads_delays_at_the_cap() {
        let first: Vec<Duration> =
            (0..100).filter_map(|seed| Delays::new(100 * MS, 1.5, 1_000 * MS, 0.1, Some(seed)).next()).collect();
        assert!(first.iter().any(|delay| *delay < 95 * MS));
        assert!(first.iter().any(|delay| *delay > 105 * MS));
        let capped = Delays::new(1_000 * MS, 1.5, 1_000 * MS, 0.1, Some(7));
        let at_cap = capped.take(100).filter(|delay| *delay > 999 * MS).count();
        assert!(at_cap < 10, "{at_cap} of 100 delays in step");
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let series =
            |seed| -> Vec<Duration> { Delays::new(100 * MS, 1.5, 10_000 * MS, 0.1, Some(seed)).take(20).collect() };
        assert_eq!(series(42), series(42));
        assert_ne!(series(42), series(43));
    }
}
