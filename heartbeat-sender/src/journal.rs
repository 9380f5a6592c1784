//! What of the outcomes is worth a line in the log: only changes, so that a registry that is down for a day costs two
//! lines.

use std::error::Error;
use std::fmt;

use crate::Outcome;
use crate::send_error::FailureClass;

/// Remembers what the log already says.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Silent,
    Acknowledged,
    Failing {
        class: FailureClass,
        failed: u64,
    },
}

/// A line for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The first beat was acknowledged.
    Accepted,
    /// A beat was acknowledged after this many failed.
    Recovered(u64),
    /// A beat failed, and not like the one before it.
    Failing,
    /// The loop has ended.
    Ended,
}

impl Journal {
    /// The line that an outcome is worth, if any.
    pub(crate) fn note(&mut self, outcome: &Outcome) -> Option<Line> {
        match outcome {
            Outcome::Pending => None,
            Outcome::Acknowledged { .. } => match std::mem::replace(&mut self.state, State::Acknowledged) {
                State::Silent => Some(Line::Accepted),
                State::Acknowledged => None,
                State::Failing { failed, .. } => Some(Line::Recovered(failed)),
            },
            Outcome::Failed { error, consecutive, .. } => {
                let next = State::Failing { class: error.class(), failed: *consecutive };
                let before = std::mem::replace(&mut self.state, next);
                let is_same = matches!(before, State::Failing { class, .. } if class == error.class());
                (!is_same).then_some(Line::Failing)
            }
            Outcome::Superseded { .. } | Outcome::Left { .. } | Outcome::Exited { .. } => Some(Line::Ended),
        }
    }
}

/// An error and all its causes, in one line.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heartbeat_contract::Ack;
    use jiff::Timestamp;

    use super::*;
    use crate::SendError;

    fn acknowledged() -> Outcome {
        let ack =
            Ack { acknowledged: true, server_time: Timestamp::UNIX_EPOCH, next_in_ms: 30_000, directives: Vec::new() };
        Outcome::Acknowledged { seq: 0, ack, rtt: Duration::ZERO }
    }

    fn failed(error: SendError, consecutive: u64) -> Outcome {
        Outcome::Failed { seq: 0, error, consecutive }
    }

    #[test]
    fn only_changes_are_worth_a_line_and_recovery_counts_the_failures() {
        let mut journal = Journal::default();
        let timeout = || SendError::timeout(Duration::from_secs(5));
        let lines = [
            (acknowledged(), Some(Line::Accepted)),
            (acknowledged(), None),
            (failed(timeout(), 1), Some(Line::Failing)),
            (failed(timeout(), 2), None),
            (failed(SendError::connect("queen", "refused"), 3), Some(Line::Failing)),
            (failed(SendError::connect("queen", "refused"), 4), None),
            (acknowledged(), Some(Line::Recovered(4))),
            (acknowledged(), None),
            (Outcome::Superseded { newest: 1 }, Some(Line::Ended)),
        ];
        for (i, (outcome, line)) in lines.into_iter().enumerate() {
            assert_eq!(journal.note(&outcome), line, "step {i}");
        }
    }

    #[test]
    fn causes_are_told_in_one_line() {
        let error = SendError::connect("http://queen:8500", "connection refused");
        assert_eq!(Causes(&error).to_string(), "cannot connect to http://queen:8500: connection refused");
    }
}
