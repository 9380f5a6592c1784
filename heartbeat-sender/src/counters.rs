//! What a loop counts of itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::SendError;
use crate::clock::monotonic;
use crate::shared::Edition;

/// What a loop has done so far; a snapshot, for metrics of your own. Counts only grow while the loop lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Beats sent, each time that one was sent: retries and those to a further registry count.
    pub sent: u64,
    /// Beats acknowledged.
    pub acknowledged: u64,
    /// Those of `sent` that brought no ack, by what came instead.
    pub failed: Failures,
    /// Those of `sent` that repeated a beat a moment later.
    pub retries: u64,
    /// How often beats began to go to another registry, the return to a preferred one included.
    pub failovers: u64,
    /// How often news went out together with earlier news instead of in a beat of its own.
    pub coalesced: u64,
    /// How many beats in a row have failed, up to now.
    pub consecutive_failures: u64,
    /// How long ago the newest beat that was acknowledged was sent. `None` before the first.
    pub last_acknowledged: Option<Duration>,
}

/// Failures by what came instead of an ack; see the methods of [`SendError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// No connection, for any reason.
    pub connect: u64,
    /// No answer in time.
    pub timeout: u64,
    /// The connection broke before the answer.
    pub lost: u64,
    /// An error status.
    pub refused: u64,
    /// A status of success, but no ack.
    pub unreadable: u64,
    /// Nothing was sent.
    pub unsent: u64,
}

impl Failures {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.connect + self.timeout + self.lost + self.refused + self.unreadable + self.unsent
    }

    pub(crate) fn count(&mut self, error: &SendError) {
        let class = match error {
            error if error.is_connect() => &mut self.connect,
            error if error.is_timeout() => &mut self.timeout,
            error if error.is_lost() => &mut self.lost,
            error if error.is_refused() => &mut self.refused,
            error if error.is_unreadable() => &mut self.unreadable,
            _ => &mut self.unsent,
        };
        *class += 1;
    }
}

/// The counters as they are kept: with a time instead of an age.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) counted: Counters,
    started: Instant,
    heard_at: Option<Instant>,
    heard: Edition,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { counted: Counters::default(), started: monotonic(), heard_at: None, heard: Edition::default() }
    }

    /// A beat that was sent then was acknowledged.
    pub(crate) fn acknowledged(&mut self, edition: Edition, sent_at: Instant) {
        self.heard = edition;
        self.counted.acknowledged += 1;
        self.counted.consecutive_failures = 0;
        self.heard_at = Some(sent_at);
    }

    /// Whether what was news then has been acknowledged.
    pub(crate) fn has_heard(&self, edition: Edition) -> bool {
        self.heard >= edition
    }

    pub(crate) fn at(&self, now: Instant) -> Counters {
        let last_acknowledged = self.heard_at.map(|at| now.saturating_duration_since(at));
        Counters { last_acknowledged, ..self.counted }
    }

    pub(crate) fn unheard_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at.unwrap_or(self.started))
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{Problem, ProblemType};

    use super::*;

    #[test]
    fn each_failure_is_of_one_class() {
        let mut failures = Failures::default();
        let errors = [
            SendError::connect("queen", "refused"),
            SendError::timeout(Duration::from_secs(1)),
            SendError::lost("reset"),
            SendError::refused(Problem::new(ProblemType::Unavailable, "")),
            SendError::unreadable(200, "HTML"),
            SendError::unwritable("no JSON"),
        ];
        errors.iter().for_each(|error| failures.count(error));
        let once = Failures { connect: 1, timeout: 1, lost: 1, refused: 1, unreadable: 1, unsent: 1 };
        assert_eq!((failures, failures.total()), (once, 6));
    }
}
