//! How long ago something began, for people.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// Tells the time since it was started, as in ` 3.27 s`. Goes by tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one clock of the example programs beside that of their work")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Display for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5.2} s", self.elapsed().as_secs_f64())
    }
}
