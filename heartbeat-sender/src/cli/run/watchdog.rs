//! Whether the command tells in time that it is alive. Plain arithmetic.

use std::time::Duration;

use tokio::time::Instant;

/// Runs from when the command is ready.
#[derive(Debug)]
pub(super) struct Watchdog {
    every: Duration,
    due: Option<Instant>,
}

impl Watchdog {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, due: None }
    }

    pub(super) fn every(&self) -> Duration {
        self.every
    }

    /// The command is ready, or has told that it is alive.
    pub(super) fn feed(&mut self, now: Instant) {
        self.due = now.checked_add(self.every);
    }

    /// From now on, so much time may pass.
    pub(super) fn change(&mut self, every: Duration, now: Instant) {
        self.every = every;
        if self.due.is_some() {
            self.feed(now);
        }
    }

    /// When it is missed, if it runs and was not missed before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is missed: once, until it is fed again.
    pub(super) fn missed(&mut self) {
        self.due = None;
    }
}
