use std::{fmt, io, path::PathBuf, time::Duration};

use super::process::Process;
use crate::readable::Readable;

/// Why a pid file could not be claimed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// Somebody holds it.
    #[error("`{}` is held by {}", .path.display(), Who(*.process))]
    #[non_exhaustive]
    Running {
        /// The file.
        path: PathBuf,
        /// Who that is, if the file says so.
        process: Option<RunningProcess>,
    },
    /// Nobody holds it, but the daemon of the one that did still runs.
    #[error("`{}` was left with its daemon, {}", .path.display(), Who(Some(*.process)))]
    #[non_exhaustive]
    LeftBehind {
        /// The file.
        path: PathBuf,
        /// The daemon.
        process: RunningProcess,
        /// The number of its process group.
        group: u32,
    },
    /// The file cannot be used.
    #[error("cannot use `{}` as a pid file", .path.display())]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl PidFileError {
    /// Whether somebody else is there, who can be [replaced](super::PidFile::replace).
    #[must_use]
    pub fn is_occupied(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::LeftBehind { .. })
    }
}

/// Who is there, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningProcess {
    /// Its process id.
    pub pid: u32,
    /// For how long it had run when it was found; known on Linux only.
    pub age: Option<Duration>,
    pub(super) start: Option<u64>,
}

impl RunningProcess {
    pub(super) fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }
}

impl From<Process> for RunningProcess {
    fn from(process: Process) -> Self {
        Self { pid: process.pid, age: process.age(), start: process.start }
    }
}

struct Who(Option<RunningProcess>);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("a process that it does not name"),
            Some(RunningProcess { pid, age: None, .. }) => write!(f, "process {pid}"),
            Some(RunningProcess { pid, age: Some(age), .. }) => {
                write!(f, "process {pid}, which has run for {}", Readable(age))
            }
        }
    }
}
