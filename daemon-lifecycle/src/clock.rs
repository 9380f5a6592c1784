//! The one place of this crate that reads a clock.

use std::time::Duration;

use tokio::time::Instant;

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
