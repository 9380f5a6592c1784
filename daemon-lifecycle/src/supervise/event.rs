use std::{fmt, process::ExitStatus, sync::Arc, time::Duration};

use super::readiness::NotReady;
use crate::{CrashLoop, DaemonError, MissedWatchdog, OutputLine, ProbeError, daemon::Tail, readable::Readable};

/// What happens to a supervised daemon. Runs are numbered from 1; `Display` is a line for a person.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SupervisorEvent {
    /// A process was started.
    #[non_exhaustive]
    Started {
        /// Which run.
        run: u32,
        /// Its process id.
        pid: u32,
    },
    /// It is ready.
    #[non_exhaustive]
    Ready {
        /// Which run.
        run: u32,
        /// How long it took to start.
        after: Duration,
    },
    /// It is being stopped.
    #[non_exhaustive]
    Stopping {
        /// Which run.
        run: u32,
        /// Why, for a person.
        why: String,
    },
    /// It has ended, and nothing of it is left.
    Ended(Arc<RunEnd>),
    /// Another run follows.
    #[non_exhaustive]
    Restarting {
        /// Which run it will be.
        run: u32,
        /// The pause until then.
        after: Duration,
    },
}

impl fmt::Display for SupervisorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { run, pid } => write!(f, "run {run}: started, pid {pid}"),
            Self::Ready { run, after } => write!(f, "run {run}: ready after {}", Readable(*after)),
            Self::Stopping { run, why } => write!(f, "run {run}: stopping: {why}"),
            Self::Ended(end) => end.fmt(f),
            Self::Restarting { run, after } => write!(f, "run {run}: starts in {}", Readable(*after)),
        }
    }
}

/// How one run ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunEnd {
    /// Which run.
    pub run: u32,
    /// Why it ended.
    pub cause: EndCause,
    /// How the process ended; `None` if none could be started.
    pub status: Option<ExitStatus>,
    /// Whether it had to be killed for not ending within the grace.
    pub forced: bool,
    /// For how long it had been ready; zero if it never was.
    pub ready_for: Duration,
    /// What it wrote last, oldest first.
    pub last_lines: Vec<OutputLine>,
}

impl fmt::Display for RunEnd {
    /// One line, without what the daemon wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, cause, status, forced, .. } = self;
        let Some(status) = status else {
            return write!(f, "run {run}: {cause}");
        };
        write!(f, "run {run}: ended ({status}), {cause}")?;
        f.write_str(if *forced { ", killed after the grace" } else { "" })
    }
}

/// Why a run ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndCause {
    /// By itself, when it was ready.
    Exited,
    /// It was not ready in time, or ended before.
    NotReady(NotReady),
    /// It was ready once, and did not answer any more.
    Unhealthy(ProbeError),
    /// It did not say in time that it is alive, or said that it is beyond help.
    Watchdog(MissedWatchdog),
    /// Somebody wanted [another run](super::Supervision::restart), for this reason.
    Ordered(String),
    /// Somebody wanted it to [stop](super::Supervision::stop).
    Stopped,
    /// It could not be started.
    NotStarted(DaemonError),
}

impl fmt::Display for EndCause {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited => f.write_str("by itself"),
            Self::NotReady(error) if error.exit_status().is_some() => f.write_str("before it was ready"),
            Self::NotReady(error) => write!(f, "not ready: {}", Tail::cut(&error.to_string())),
            Self::Unhealthy(error) => write!(f, "not healthy any more: {error}"),
            Self::Watchdog(missed) => write!(f, "watchdog: {missed}"),
            Self::Ordered(reason) => write!(f, "to be restarted: {reason}"),
            Self::Stopped => f.write_str("as asked"),
            Self::NotStarted(error) => write!(f, "not started: {error}"),
        }
    }
}

/// Why a daemon is supervised no longer. Nothing of it is left, but where it says otherwise.
#[derive(Debug)]
#[non_exhaustive]
pub enum SupervisionEnd {
    /// It ended in a way after which the policy wants no other run.
    Over(Arc<RunEnd>),
    /// It ended, and was started too often lately, or in a row.
    #[non_exhaustive]
    CrashLoop {
        /// What was too often.
        what: CrashLoop,
        /// The last run.
        last: Arc<RunEnd>,
    },
    /// By [`Supervision::stop`](super::Supervision::stop).
    Stopped(Arc<RunEnd>),
    /// The system refused the first start, or what it takes to watch or stop a daemon; then it has been killed as far
    /// as that is possible.
    Failed(DaemonError),
}

impl fmt::Display for SupervisionEnd {
    /// With what the daemon wrote last, where it has failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(end) => end.fmt(f),
            Self::Over(end) if end.status.is_some_and(|status| status.success()) => end.fmt(f),
            Self::Over(end) => write!(f, "{end}{}", Tail(&end.last_lines)),
            Self::CrashLoop { what, last } => write!(f, "given up after {what}: {last}{}", Tail(&last.last_lines)),
            Self::Failed(error) => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                write!(f, "{error}{}", cause.unwrap_or_default())
            }
        }
    }
}
