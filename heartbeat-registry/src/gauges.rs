//! What a fleet measures of itself.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use heartbeat_contract::{DetectionStats, DriverStats};

use crate::lock::lock;

/// The window of the rate, and how far apart its samples are, in microseconds.
const WINDOW: u64 = 60_000_000;
const STEP: u64 = 1_000_000;
/// Over how many failures the percentiles are taken.
const FAILURES_KEPT: usize = 1024;

#[derive(Debug)]
pub(crate) struct Gauges {
    started: Duration,
    sweeps: AtomicU64,
    panics: AtomicU64,
    alive: AtomicBool,
    /// Monotonic time and beats so far, a second apart.
    samples: Mutex<VecDeque<(u64, u64)>>,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    count: u64,
    ages_ms: VecDeque<u64>,
}

impl Gauges {
    pub(crate) fn new(started: Duration) -> Self {
        Self {
            started,
            sweeps: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            alive: AtomicBool::new(false),
            samples: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    pub(crate) fn uptime(&self, monotonic: Duration) -> Duration {
        monotonic.saturating_sub(self.started)
    }

    pub(crate) fn swept(&self, mono: u64, beats: u64) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
        let mut samples = lock(&self.samples);
        if samples.back().is_none_or(|(last, _)| mono >= last + STEP) {
            samples.push_back((mono, beats));
        }
        while samples.front().is_some_and(|(first, _)| first + WINDOW < mono) {
            samples.pop_front();
        }
    }

    /// Beats per second from the oldest sample of the window to now.
    pub(crate) fn beats_per_second(&self, mono: u64, beats: u64) -> f64 {
        let samples = lock(&self.samples);
        let Some((since, before)) = samples.iter().copied().find(|(at, _)| at + WINDOW >= mono) else { return 0.0 };
        let seconds = Duration::from_micros(mono.saturating_sub(since)).as_secs_f64();
        let beats = beats.saturating_sub(before) as f64;
        if seconds < 1.0 { 0.0 } else { beats / seconds }
    }

    pub(crate) fn failed(&self, age_ms: u64) {
        let mut failures = lock(&self.failures);
        failures.count += 1;
        if failures.ages_ms.len() == FAILURES_KEPT {
            failures.ages_ms.pop_front();
        }
        failures.ages_ms.push_back(age_ms);
    }

    pub(crate) fn detection(&self) -> DetectionStats {
        let failures = lock(&self.failures);
        let mut ages: Vec<u64> = failures.ages_ms.iter().copied().collect();
        ages.sort_unstable();
        // The nearest-rank percentile.
        let percentile = |p: usize| ages.get((ages.len() * p).div_ceil(100).saturating_sub(1)).copied();
        DetectionStats { failures: failures.count, p50_ms: percentile(50), p99_ms: percentile(99) }
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_alive(&self, alive: bool) {
        self.alive.store(alive, Ordering::Release);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(crate) fn driver(&self, looked_at: u64, credited: u64) -> DriverStats {
        DriverStats {
            alive: self.is_alive(),
            looked_at,
            sweeps: self.sweeps.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            credited_ms: credited / 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_taken_over_the_last_minute() {
        let gauges = Gauges::new(Duration::ZERO);
        for second in 0..200 {
            gauges.swept(second * STEP, second * 10);
        }
        assert!((gauges.beats_per_second(199 * STEP, 1990) - 10.0).abs() < 1e-9);
        assert!((gauges.beats_per_second(199 * STEP, 1990 + 600) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_of_ages_that_occurred() {
        let gauges = Gauges::new(Duration::ZERO);
        assert_eq!(gauges.detection().p50_ms, None);
        for age in 1..=200 {
            gauges.failed(age);
        }
        let DetectionStats { failures, p50_ms, p99_ms } = gauges.detection();
        assert_eq!((failures, p50_ms, p99_ms), (200, Some(100), Some(198)));
    }
}
