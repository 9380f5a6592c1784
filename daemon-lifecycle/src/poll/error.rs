use std::time::Duration;

use super::report::PollReport;
use crate::{probe::UrlError, readable::Readable};

/// Why a wait for health ended without success.
///
/// The message says all there is to say in one go (for a dead child with its last lines below), so that it can be
/// shown to a person as it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The settings make no sense; nothing was asked of anyone.
    #[error(transparent)]
    InvalidConfig(#[from] ConfigError),
    /// Every attempt failed.
    #[error("{0}")]
    AttemptsExhausted(PollReport),
    /// An attempt failed in a way that no further one will mend, by [`HealthPoll::fatal_on`](crate::HealthPoll::fatal_on);
    /// or the endpoint was wrong for too long ([`PollReport::wrong_endpoint_for`]).
    #[error("{0} (given up, waiting on would not mend it)")]
    Fatal(PollReport),
    /// This one was still waited for when another one of [`poll_all_until_healthy`](crate::poll_all_until_healthy) gave
    /// up.
    #[error("{0} (another one failed)")]
    CutShort(PollReport),
    /// The deadline left no room for another attempt.
    #[error("{report} (deadline {})", Readable(*.deadline))]
    #[non_exhaustive]
    DeadlineExceeded {
        /// The deadline that was set, or to which growing progress had moved it.
        deadline: Duration,
        /// What was seen until then.
        report: PollReport,
    },
    /// The daemon that was waited for is dead. It has been reaped; processes it left in its group may still run
    /// until the `Daemon` is stopped or dropped.
    #[cfg(feature = "daemon")]
    #[error("child exited ({status}): {report}{}", crate::daemon::Tail(.last_lines))]
    #[non_exhaustive]
    ChildExited {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said last, oldest first.
        last_lines: Vec<crate::OutputLine>,
        /// What was seen until then.
        report: PollReport,
    },
    /// The operating system would not say whether the child is alive.
    #[cfg(feature = "daemon")]
    #[error(transparent)]
    Child(#[from] crate::DaemonError),
}

impl PollError {
    /// The attempts made, where there were any to make.
    #[must_use]
    pub fn report(&self) -> Option<&PollReport> {
        match self {
            Self::AttemptsExhausted(report)
            | Self::Fatal(report)
            | Self::CutShort(report)
            | Self::DeadlineExceeded { report, .. } => Some(report),
            #[cfg(feature = "daemon")]
            Self::ChildExited { report, .. } => Some(report),
            #[cfg(feature = "daemon")]
            Self::Child(_) => None,
            Self::InvalidConfig(_) => None,
        }
    }
}

/// A setting of a health poll that is out of its range.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_attempts` is 0.
    #[error("max_attempts is 0, at least 1 is needed")]
    NoAttempts,
    /// `backoff_multiplier` is below 1 or not finite.
    #[error("backoff_multiplier is {0}, it must be finite and at least 1")]
    Multiplier(f64),
    /// The jitter is no fraction.
    #[error("jitter is {0}, it must be from 0 to 1")]
    Jitter(f64),
    /// No attempt could succeed in no time.
    #[error("the attempt timeout is zero")]
    ZeroAttemptTimeout,
    /// No attempt could be made before the deadline.
    #[error("the deadline is zero")]
    ZeroDeadline,
    /// Progress would have to grow in no time.
    #[error("the stall timeout is zero")]
    ZeroStallTimeout,
    /// No success at all is no health.
    #[error("the success threshold is 0, at least 1 is needed")]
    NoSuccesses,
    /// The answer of a child is expected where there is no child: that takes `Daemon::wait_until_healthy`.
    #[error("the answer of a child is expected, and no child is waited for")]
    NoChild,
    /// The URL cannot be polled.
    #[error(transparent)]
    Url(#[from] UrlError),
}
