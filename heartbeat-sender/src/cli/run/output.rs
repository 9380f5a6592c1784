//! The command's output: passed on as it is, and read along the way.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::fstat;
use tokio::process::Command;
use tokio::sync::{Notify, mpsc};

use super::tail::{Lines, Tail};

/// How long output may still come once the command has ended: another process may hold the stream for ever.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// What is read of a run's output.
pub(super) struct Output {
    tail: Arc<Mutex<Tail>>,
    /// Closed once every stream has ended.
    ended: mpsc::Receiver<()>,
}

/// A line by which the command tells that it is ready.
pub(super) struct ReadyLine {
    pub(super) text: String,
    pub(super) seen: Arc<Notify>,
}

/// Which streams are read: those that are no terminal, so that the command sees the terminal where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    None,
    Stdout,
    Stderr,
    Both,
    /// Both lead to the same place, so that they share one pipe, and lines keep their order.
    Joined,
}

impl Plan {
    pub(super) fn of_this_process(wanted: bool) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        match (wanted && !stdout.is_terminal(), wanted && !stderr.is_terminal()) {
            (false, false) => Self::None,
            (true, false) => Self::Stdout,
            (false, true) => Self::Stderr,
            (true, true) if are_same(stdout.as_fd(), stderr.as_fd()) => Self::Joined,
            (true, true) => Self::Both,
        }
    }

    /// Gives a command its output, and begins to copy it; to be called right before it is spawned.
    pub(super) fn connect(
        self,
        command: &mut Command,
        tail: usize,
        ready: Option<&Arc<ReadyLine>>,
    ) -> io::Result<Output> {
        let tail = Arc::new(Mutex::new(Tail::new(tail)));
        let (alive, ended) = mpsc::channel(1);
        let copy = |to: BorrowedFd<'_>| -> io::Result<PipeWriter> {
            let (from, into) = io::pipe()?;
            let copying = Copying {
                to: File::from(to.try_clone_to_owned()?),
                lines: Lines::default(),
                tail: Arc::clone(&tail),
                ready: ready.cloned(),
                _alive: alive.clone(),
            };
            thread::Builder::new().name("output".to_owned()).spawn(move || copying.run(from))?;
            Ok(into)
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        if matches!(self, Self::Stdout | Self::Both | Self::Joined) {
            let into = copy(stdout.as_fd())?;
            if self == Self::Joined {
                command.stderr(Stdio::from(into.try_clone()?));
            }
            command.stdout(Stdio::from(into));
        }
        if matches!(self, Self::Stderr | Self::Both) {
            command.stderr(Stdio::from(copy(stderr.as_fd())?));
        }
        Ok(Output { tail, ended })
    }
}

impl Output {
    /// Waits for the last of it once the command has ended, though not for other processes that hold its streams.
    pub(super) async fn end(&mut self) {
        tokio::time::timeout(LAST_OUTPUT, self.ended.recv()).await.ok();
    }

    /// A first line, and under it the last ones, in at most so many bytes.
    pub(super) fn under(&self, first: &str, limit: usize) -> String {
        lock(&self.tail).under(first, limit)
    }
}

/// One stream, on a thread of its own, so that a reader that takes its time holds up the command and nothing else.
struct Copying {
    to: File,
    lines: Lines,
    tail: Arc<Mutex<Tail>>,
    ready: Option<Arc<ReadyLine>>,
    _alive: mpsc::Sender<()>,
}

impl Copying {
    fn run(mut self, mut from: PipeReader) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let bytes = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the command's output");
                    break;
                }
            };
            // Once nobody reads ours, nobody reads the command's either: it is told so by its next write.
            if self.to.write_all(bytes).is_err() {
                break;
            }
            self.lines.take(bytes, |line| note(line, &self.tail, self.ready.as_deref()));
        }
        if let Some(line) = self.lines.rest() {
            note(line, &self.tail, self.ready.as_deref());
        }
    }
}

fn note(line: String, tail: &Mutex<Tail>, ready: Option<&ReadyLine>) {
    if let Some(ready) = ready
        && line.contains(&ready.text)
    {
        ready.seen.notify_one();
    }
    lock(tail).push(line);
}

fn lock(tail: &Mutex<Tail>) -> MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether two streams lead to the same file, pipe or socket.
fn are_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}
