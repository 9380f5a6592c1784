//! The one place of this crate that reads a clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Now, by tokio's clock.
#[cfg(all(feature = "daemon", unix))]
#[expect(clippy::disallowed_methods, reason = "a silence has to be measured somewhere")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until then; without end, where there is no such moment.
#[cfg(all(feature = "daemon", unix))]
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Measures one wait, by tokio's clock so that `tokio::time::pause` governs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a wait has to read a clock somewhere")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The end of the time that one probe has, all its steps together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    since: Stopwatch,
    limit: Duration,
}

impl TimeLimit {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { since: Stopwatch::start(), limit }
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.since.elapsed())
    }

    /// `None` if the time is up first.
    pub(crate) async fn bound<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.left(), step).await.ok()
    }
}

/// What a server that does not say its own time is taken to mean by a date.
#[expect(clippy::disallowed_methods, reason = "a date can be told from now by the wall clock alone")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
