//! How late the application's runtime gets round to its tasks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::monotonic;

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Gives a runtime tiny tasks, one at a time, and keeps how late it ran them.
#[derive(Debug, Default)]
pub(crate) struct RuntimeWatch {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    runtime: Option<Handle>,
    lag: Lag,
}

/// What is known of the lag of one runtime.
#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    /// Since when a task waits.
    waiting_since: Option<Instant>,
    /// How late the latest task ran, and the latest of those since the last beat.
    latest: Option<Duration>,
    worst: Option<Duration>,
}

impl RuntimeWatch {
    /// Watches a runtime, instead of the one before.
    pub(crate) fn watch(&self, runtime: Handle) {
        *self.lock() = State { runtime: Some(runtime), lag: Lag::default() };
        self.changed.notify_one();
    }

    /// What the next beat tells: the worst since the beat before, or how long the task under way has been waiting so far.
    pub(crate) fn take(&self, now: Instant) -> Option<Duration> {
        self.lock().lag.take(now)
    }

    /// Watches for ever. Only one may do so at a time.
    pub(crate) async fn keep_watching(&self, interval: impl Fn() -> Duration) {
        loop {
            let runtime = self.lock().runtime.clone();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.probe(runtime) => tokio::time::sleep((interval() / 4).min(LONGEST_PAUSE)).await,
            }
        }
    }

    async fn probe(&self, runtime: Option<Handle>) {
        let Some(runtime) = runtime else { return std::future::pending().await };
        self.lock().lag.waiting_since = Some(monotonic());
        let has_run = runtime.spawn(async {}).await.is_ok();
        let mut state = self.lock();
        if has_run {
            state.lag.ran(monotonic());
        } else {
            // It was shut down, which is no lag.
            *state = State::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lag {
    fn ran(&mut self, now: Instant) {
        self.latest = self.waiting_since.take().map(|since| now.saturating_duration_since(since));
        self.worst = self.worst.max(self.latest);
    }

    fn take(&mut self, now: Instant) -> Option<Duration> {
        let so_far = self.waiting_since.map(|since| now.saturating_duration_since(since));
        // Where none ran since the last beat, the latest is all that is known.
        let worst = std::mem::replace(&mut self.worst, self.latest);
        match (worst, so_far) {
            // A task that was given just now says nothing yet.
            (None, Some(so_far)) if so_far.is_zero() => None,
            (worst, so_far) => worst.max(so_far),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_beat_tells_the_worst_since_the_one_before_or_the_wait_so_far() {
        let start = monotonic();
        let mut lag = Lag::default();
        assert_eq!(lag.take(start), None);
        for (given, ran) in [(0, 7), (10, 12)] {
            lag.waiting_since = Some(start + given * MS);
            lag.ran(start + ran * MS);
        }
        assert_eq!(lag.take(start + 20 * MS), Some(7 * MS));
        assert_eq!(lag.take(start + 30 * MS), Some(2 * MS), "the latest, where none ran since");
        lag.waiting_since = Some(start + 40 * MS);
        assert_eq!(lag.take(start + 41 * MS), Some(2 * MS));
        assert_eq!(lag.take(start + 540 * MS), Some(500 * MS));
        assert_eq!(lag.take(start + 940 * MS), Some(900 * MS));
        lag.ran(start + 1000 * MS);
        assert_eq!(lag.take(start + 1001 * MS), Some(960 * MS));
    }
}
