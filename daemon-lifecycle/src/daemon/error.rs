use std::{fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

use super::{output::OutputLine, signal::Signal};
use crate::readable::Readable;

/// What the operating system refused to do with a child process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The program could not be started: not found, not executable, or no more processes allowed. Nothing runs.
    #[error("cannot start `{program}`")]
    #[non_exhaustive]
    Spawn {
        /// The program as given.
        program: String,
        /// The refusal.
        source: io::Error,
    },
    /// The file that was to receive the output could not be opened. Nothing runs.
    #[error("cannot append to `{}`", .path.display())]
    #[non_exhaustive]
    LogFile {
        /// The file as given.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The socket at which the daemon was to tell that it is ready could not be made. Nothing runs.
    #[error("cannot listen for notifications")]
    #[non_exhaustive]
    NotifySocket {
        /// The refusal.
        source: io::Error,
    },
    /// The daemon was started, but could not be noted in the pid file. It has been killed.
    #[error("cannot write to `{}`", .path.display())]
    #[non_exhaustive]
    PidFile {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A signal could not be sent, most often because nobody is left to receive it.
    #[error("cannot send {signal} to process {pid}")]
    #[non_exhaustive]
    Signal {
        /// The signal.
        signal: Signal,
        /// The child, which leads the group of the same number.
        pid: u32,
        /// The refusal.
        source: io::Error,
    },
    /// The child could not be waited for.
    #[error("cannot wait for process {pid}")]
    #[non_exhaustive]
    Wait {
        /// The child.
        pid: u32,
        /// The refusal.
        source: io::Error,
    },
    /// `SIGKILL` was sent, and the child is still there: it hangs inside the kernel, for instance on a dead disk or
    /// a GPU driver. It goes once that call returns.
    #[error("process {pid} still there {} after SIGKILL", Readable(*.waited))]
    #[non_exhaustive]
    StillAlive {
        /// The child.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// Why a line was not found. The daemon itself is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The child ended, and nothing it had written matched.
    #[error("child exited ({status}) before the awaited line{}", Tail(.last_lines))]
    #[non_exhaustive]
    ChildExited {
        /// How it ended.
        status: ExitStatus,
        /// What it said last, oldest first.
        last_lines: Vec<OutputLine>,
    },
    /// No line matched in time; the child still runs.
    #[error("awaited line not seen within {}{}", Readable(*.timeout), Tail(.last_lines))]
    #[non_exhaustive]
    TimedOut {
        /// The time that was given.
        timeout: Duration,
        /// What it said last, oldest first.
        last_lines: Vec<OutputLine>,
    },
    /// The operating system would not say whether the child is alive.
    #[error(transparent)]
    Child(#[from] DaemonError),
}

/// Why a daemon was not heard to say that it is ready. The daemon itself is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The child ended before it said so.
    #[error("child exited ({status}) before READY=1{}{}", Said(.told), Tail(.last_lines))]
    #[non_exhaustive]
    ChildExited {
        /// How it ended.
        status: ExitStatus,
        /// Its last `STATUS=`.
        told: Option<String>,
        /// What it wrote last, oldest first.
        last_lines: Vec<OutputLine>,
    },
    /// It did not say so in time; the child still runs.
    #[error("no READY=1 within {}{}{}", Readable(*.waited), Said(.told), Tail(.last_lines))]
    #[non_exhaustive]
    TimedOut {
        /// How long it was waited for, the time that it asked for included.
        waited: Duration,
        /// Its last `STATUS=`.
        told: Option<String>,
        /// What it wrote last, oldest first.
        last_lines: Vec<OutputLine>,
    },
    /// It was started without [`DaemonCommand::notify_socket`](crate::DaemonCommand::notify_socket), so nobody listens.
    #[error("the daemon was started without a socket for notifications")]
    NoSocket,
    /// The operating system would not say whether the child is alive.
    #[error(transparent)]
    Child(#[from] DaemonError),
}

struct Said<'a>(&'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |told| write!(f, "; it said `{told}`"))
    }
}

/// The end of the output, as the end of a message.
pub(crate) struct Tail<'a>(pub(crate) &'a [OutputLine]);

impl Tail<'_> {
    const LINES: usize = 20;
    const NOTHING: &'static str = "; it wrote nothing";
    const HEADING: &'static str = "; last output:";

    /// The first line of a message, without the end that this makes.
    pub(crate) fn cut(message: &str) -> &str {
        let line = message.lines().next().unwrap_or_default();
        let ends = [Self::NOTHING, Self::HEADING];
        ends.iter().find_map(|end| line.strip_suffix(end)).unwrap_or(line)
    }
}

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(Self::NOTHING);
        }
        f.write_str(Self::HEADING)?;
        let skipped = self.0.len().saturating_sub(Self::LINES);
        self.0[skipped..].iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
