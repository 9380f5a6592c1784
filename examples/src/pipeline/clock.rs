//! The clock of this runtime.

use std::time::Duration;

use heartbeat_registry::Clock;
use heartbeat_sender::system_clock;
use jiff::Timestamp;

use crate::Stopwatch;

/// Judges by tokio's clock, so that `tokio::time::pause` governs the monitor as it does the worker.
pub(super) struct TokioClock {
    origin: Stopwatch,
}

impl TokioClock {
    pub(super) fn start() -> Self {
        Self { origin: Stopwatch::start() }
    }
}

impl Clock for TokioClock {
    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wall(&self) -> Timestamp {
        system_clock()
    }
}
