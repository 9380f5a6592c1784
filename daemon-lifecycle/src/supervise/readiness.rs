use std::{fmt, process::ExitStatus, sync::Arc, time::Duration};

use crate::{Daemon, DaemonCommand, HealthPoll, LineError, NotifyError, OutputLine, PollError};

/// When a daemon counts as ready.
#[derive(Clone)]
pub(crate) enum Readiness {
    /// As soon as it runs.
    Started,
    Healthy(HealthPoll),
    Line(Arc<dyn Fn(&OutputLine) -> bool + Send + Sync>),
    Notified,
}

impl Readiness {
    /// What the daemon needs to show it.
    pub(crate) fn prepare(&self, command: DaemonCommand) -> DaemonCommand {
        match self {
            Self::Notified => command.notify_socket(),
            Self::Started | Self::Healthy(_) | Self::Line(_) => command,
        }
    }

    pub(crate) async fn wait(&self, daemon: &mut Daemon, timeout: Duration) -> Result<(), NotReady> {
        match self {
            Self::Started => Ok(()),
            Self::Healthy(poll) => {
                // No time at all would be an invalid setting, not a wait that is over.
                let poll = poll.clone().deadline(timeout.max(Duration::from_millis(1)));
                Ok(daemon.wait_until_healthy(poll).await.map(drop)?)
            }
            Self::Line(is_it) => {
                let is_it = Arc::clone(is_it);
                Ok(daemon.wait_for_line(move |line| is_it(line).then_some(()), timeout).await?)
            }
            Self::Notified => Ok(daemon.wait_until_notified(timeout).await?),
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "Started",
            Self::Healthy(_) => "Healthy",
            Self::Line(_) => "Line",
            Self::Notified => "Notified",
        })
    }
}

/// Why a daemon was not ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It was to answer.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// It was to write a line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It was to say `READY=1`.
    #[error(transparent)]
    Notify(#[from] NotifyError),
}

impl NotReady {
    /// How it ended, if that is why.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::Poll(PollError::ChildExited { status, .. })
            | Self::Line(LineError::ChildExited { status, .. })
            | Self::Notify(NotifyError::ChildExited { status, .. }) => Some(*status),
            Self::Poll(_) | Self::Line(_) | Self::Notify(_) => None,
        }
    }
}
