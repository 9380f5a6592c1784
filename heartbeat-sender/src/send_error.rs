//! Why a beat was not acknowledged.

use std::error::Error;
use std::fmt;
use std::mem::Discriminant;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Problem, ProblemType};

use crate::ConfigError;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a beat was not acknowledged; cheap to clone.
///
/// Except for [`is_refused`](Self::is_refused), the registry may have taken the beat all the same: its answer was lost.
#[derive(Clone, Debug)]
pub struct SendError {
    kind: Arc<Kind>,
    retry_after: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("cannot connect to {to}")]
    Connect {
        to: String,
        timed_out: bool,
        #[source]
        source: BoxError,
    },
    #[error("the connection was lost before the answer")]
    Lost(#[source] BoxError),
    #[error("refused with {status}{}", words_of(.problem.as_ref()))]
    Refused { status: u16, problem: Option<Problem> },
    #[error("answered {status}, but not with an ack: {detail}")]
    Unreadable { status: u16, detail: String },
    #[error("the beat cannot be written")]
    Unwritable(#[source] BoxError),
    #[error("cannot send")]
    Config(#[source] ConfigError),
}

impl SendError {
    /// No answer came within this time.
    #[must_use]
    pub fn timeout(after: Duration) -> Self {
        Kind::Timeout(after).into()
    }

    /// The registry could not be reached, so the beat was not sent.
    #[must_use]
    pub fn connect(to: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Kind::Connect { to: to.into(), timed_out: false, source: source.into() }.into()
    }

    /// The beat was sent, but the connection broke before the answer.
    #[must_use]
    pub fn lost(source: impl Into<BoxError>) -> Self {
        Kind::Lost(source.into()).into()
    }

    /// The registry answered with a problem.
    #[must_use]
    pub fn refused(problem: Problem) -> Self {
        Kind::Refused { status: problem.status, problem: Some(problem) }.into()
    }

    /// The answer has a status of success, but is no ack.
    #[must_use]
    pub fn unreadable(status: u16, detail: impl fmt::Display) -> Self {
        Kind::Unreadable { status, detail: detail.to_string() }.into()
    }

    /// The beat cannot be written in the form it travels in.
    #[must_use]
    pub fn unwritable(source: impl Into<BoxError>) -> Self {
        Kind::Unwritable(source.into()).into()
    }

    /// Adds how long the registry asks to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Whether a wait ran out: for the connection or for the answer.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.kind, Kind::Timeout(_) | Kind::Connect { timed_out: true, .. })
    }

    /// Whether the registry could not be reached at all.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.kind, Kind::Connect { .. })
    }

    /// Whether the connection broke between the beat and its answer.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(*self.kind, Kind::Lost(_))
    }

    /// Whether the registry, or something in front of it, answered with an error status.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(*self.kind, Kind::Refused { .. })
    }

    /// Whether the answer claims success, but is no ack: something other than a registry answers there.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(*self.kind, Kind::Unreadable { .. })
    }

    /// Whether nothing was sent because of what the caller gave: the URL, or a beat that cannot be written.
    #[must_use]
    pub fn is_config(&self) -> bool {
        matches!(*self.kind, Kind::Config(_) | Kind::Unwritable(_))
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match *self.kind {
            Kind::Refused { status, .. } | Kind::Unreadable { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What the registry says is wrong, if it refused in its own words.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match &*self.kind {
            Kind::Refused { problem, .. } => problem.as_ref(),
            _ => None,
        }
    }

    /// The newest run the registry knows, if it refused this beat as one of an older run.
    #[must_use]
    pub fn stale_incarnation(&self) -> Option<u64> {
        let problem = self.problem()?;
        let is_stale = problem.problem_type() == Some(ProblemType::StaleIncarnation);
        problem.newest_incarnation.filter(|_| is_stale)
    }

    /// How long the registry asks to be left alone, with 429 or 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What has to differ between two failures for the second to be worth a line in the log.
    pub(crate) fn class(&self) -> FailureClass {
        FailureClass(std::mem::discriminant(&*self.kind), self.status())
    }
}

/// Failures of one class mean the same to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailureClass(Discriminant<Kind>, Option<u16>);

#[cfg(feature = "http")]
impl SendError {
    pub(crate) fn connect_timeout(to: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Kind::Connect { to: to.into(), timed_out: true, source: source.into() }.into()
    }
}

#[cfg(feature = "http-answer")]
impl SendError {
    pub(crate) fn refused_with(status: u16, problem: Option<Problem>) -> Self {
        Kind::Refused { status, problem }.into()
    }
}

impl From<ConfigError> for SendError {
    fn from(error: ConfigError) -> Self {
        Kind::Config(error).into()
    }
}

impl From<Kind> for SendError {
    fn from(kind: Kind) -> Self {
        Self { kind: Arc::new(kind), retry_after: None }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

fn words_of(problem: Option<&Problem>) -> String {
    problem.map_or_else(String::new, |problem| format!(": {}", problem.detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stale_incarnation_names_the_newest_run() {
        let mut problem = Problem::new(ProblemType::StaleIncarnation, "old");
        problem.newest_incarnation = Some(7);
        assert_eq!(SendError::refused(problem.clone()).stale_incarnation(), Some(7));
        problem.type_uri = "/problems/else".to_owned();
        assert_eq!(SendError::refused(problem).stale_incarnation(), None);
    }

    #[test]
    fn failures_of_another_status_are_of_another_class() {
        let refused = |problem| SendError::refused(Problem::new(problem, "")).class();
        assert_eq!(refused(ProblemType::Overloaded), refused(ProblemType::TooManyMembers));
        assert_ne!(refused(ProblemType::Overloaded), refused(ProblemType::Unavailable));
        assert_ne!(SendError::timeout(Duration::from_secs(1)).class(), SendError::lost("reset").class());
    }
}
