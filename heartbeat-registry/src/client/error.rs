//! What can go wrong while reading from a registry elsewhere.

use std::error::Error;
use std::fmt;

use heartbeat_contract::{Problem, ProblemType};

/// Why a registry elsewhere gave no answer. The URL and what went wrong are in its message, causes in its sources.
#[derive(Debug)]
pub struct ClientError {
    url: String,
    failure: Failure,
}

#[derive(Debug)]
pub(super) enum Failure {
    Url(String),
    Token,
    Transport(reqwest::Error),
    Status {
        status: u16,
        problem: Option<Box<Problem>>,
    },
    Answer(serde_json::Error),
    Unwritable(serde_json::Error),
    TooLong,
    /// A stream of events ended.
    Ended,
    /// Nothing came for too long.
    Silent,
    /// What answered sends no stream of events.
    NoStream,
}

impl Failure {
    /// Whether it may be mended by itself.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Transport(error) => !error.is_builder(),
            Self::Ended | Self::Silent => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Url(_) | Self::Token | Self::Answer(_) | Self::Unwritable(_) | Self::TooLong | Self::NoStream => {
                false
            }
        }
    }
}

impl ClientError {
    pub(super) fn new(url: &str, failure: Failure) -> Self {
        Self { url: url.to_owned(), failure }
    }

    /// Whether there is no such member.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.problem().is_some_and(|problem| problem.problem_type() == Some(ProblemType::NotFound))
    }

    /// Whether the registry could not be reached, or did not answer in time.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.failure, Failure::Transport(_) | Failure::Ended | Failure::Silent)
    }

    /// Whether the registry did not answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &self.failure {
            Failure::Transport(error) => error.is_timeout(),
            failure => matches!(failure, Failure::Silent),
        }
    }

    /// Whether what was asked for makes no sense, so that asking again will not help.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self.failure, Failure::Url(_) | Failure::Token)
            || self.status().is_some_and(|status| matches!(status, 400 | 422))
    }

    /// The HTTP status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.failure {
            Failure::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What the registry said of a refusal.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match &self.failure {
            Failure::Status { problem, .. } => problem.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.failure {
            Failure::Url(why) => write!(f, "{url:?} is no registry's URL: {why}"),
            Failure::Token => f.write_str("the bearer token holds what no header can carry"),
            Failure::Transport(error) if error.is_timeout() => write!(f, "{url} did not answer in time"),
            Failure::Transport(error) if error.is_connect() => write!(f, "{url} cannot be reached"),
            Failure::Transport(_) => write!(f, "{url} broke off"),
            Failure::Status { problem: Some(problem), .. } => f.write_str(&problem.detail),
            Failure::Status { status, .. } => write!(f, "{url} answered with status {status}: is that a registry?"),
            Failure::Unwritable(_) => f.write_str("what was to be sent cannot be written as JSON"),
            Failure::Silent => write!(f, "{url} was silent for too long"),
            Failure::Ended => write!(f, "{url} ended the stream"),
            Failure::Answer(_) | Failure::NoStream => {
                write!(f, "{url} answered something else than was asked for: is that a registry?")
            }
            Failure::TooLong => write!(f, "{url} answered more than can be read"),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failure {
            Failure::Transport(error) => Some(error),
            Failure::Answer(error) | Failure::Unwritable(error) => Some(error),
            _ => None,
        }
    }
}
