use std::{fmt, io, process::ExitStatus, time::Duration};

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

/// The end of the output, as the end of a message.
pub(crate) struct Tail<'a>(pub(crate) &'a [OutputLine]);

impl Tail<'_> {
    const LINES: usize = 20;
}

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it wrote nothing");
        }
        f.write_str("; last output:")?;
        let skipped = self.0.len().saturating_sub(Self::LINES);
        self.0[skipped..].iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
