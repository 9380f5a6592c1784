use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::oneshot,
};

use super::{lines::LineSplitter, log_file::LogStream};

/// Lines kept of what a daemon wrote, both streams together.
const MAX_LINES: usize = 100;

/// One line that a daemon wrote, without its line ending.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputLine {
    /// Where it was written. Lines of one stream are in order; between the two, the order is that of reading.
    pub stream: OutputStream,
    /// The line; bytes that are no UTF-8 are replaced, and what exceeds 4 KiB is cut off and marked `[cut]`.
    pub text: String,
}

impl fmt::Display for OutputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stream, self.text)
    }
}

/// One of the two streams of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for OutputStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

pub(crate) type LineHook = Box<dyn Fn(&OutputLine) + Send + Sync>;

/// Looks at each line and says whether it has seen enough.
type Watcher = Box<dyn FnMut(&OutputLine) -> bool + Send>;

/// What a daemon wrote last, and who waits for what it writes next.
pub(crate) struct Output {
    kept: Mutex<Kept>,
    hook: Option<LineHook>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<OutputLine>,
    watchers: Vec<Watcher>,
}

impl Output {
    pub(crate) fn new(hook: Option<LineHook>) -> Arc<Self> {
        let kept = Mutex::default();
        Arc::new(Self { kept, hook })
    }

    pub(crate) fn last_lines(&self) -> Vec<OutputLine> {
        self.lock().lines.iter().cloned().collect()
    }

    /// Answers with what `find` makes of the first line it accepts, among the kept ones and all later ones. The
    /// watcher goes when it has found its line, or with the first line after its receiver is gone.
    pub(crate) fn watch<T: Send + 'static>(
        &self,
        mut find: impl FnMut(&OutputLine) -> Option<T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = Some(sender);
        let mut watcher: Watcher = Box::new(move |line| {
            if waiting.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return true;
            }
            let Some(value) = find(line) else { return false };
            if let Some(waiting) = waiting.take() {
                // Whoever waited may leave just now; the line stays among the kept ones for the next to ask.
                waiting.send(value).ok();
            }
            true
        });
        let mut kept = self.lock();
        if !kept.lines.iter().any(&mut watcher) {
            kept.watchers.push(watcher);
        }
        receiver
    }

    fn push(&self, line: OutputLine) {
        if let Some(hook) = &self.hook {
            hook(&line);
        }
        let mut kept = self.lock();
        kept.watchers.retain_mut(|watcher| !watcher(&line));
        if kept.lines.len() == MAX_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    /// No lock is held across user code that could leave the lines half changed, so a poisoned one is still good.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

/// Reads a pipe to its end, so that the daemon never blocks on a full one.
pub(crate) async fn drain(
    mut pipe: impl AsyncRead + Unpin,
    stream: OutputStream,
    output: Arc<Output>,
    mut log: Option<LogStream>,
) {
    let mut chunk = vec![0; 8 * 1024];
    let mut splitter = LineSplitter::default();
    // A pipe that cannot be read any more has ended as far as anyone can tell.
    while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
        if let Some(log) = &mut log {
            log.feed(&chunk[..read]);
        }
        splitter.feed(&chunk[..read], |text| output.push(OutputLine { stream, text }));
    }
    if let Some(log) = log {
        log.finish();
    }
    if let Some(text) = splitter.finish() {
        output.push(OutputLine { stream, text });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MAX_LINES, Output, OutputLine, OutputStream, drain};

    async fn write(output: &Arc<Output>, text: &str) {
        drain(text.as_bytes(), OutputStream::Stdout, Arc::clone(output), None).await;
    }

    fn starts_with(prefix: &'static str) -> impl FnMut(&OutputLine) -> Option<String> + Send {
        move |line| line.text.strip_prefix(prefix).map(str::to_owned)
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let output = Output::new(None);
        let text: String = (0..MAX_LINES + 5).map(|n| format!("{n}\n")).collect();
        write(&output, &text).await;
        let lines = output.last_lines();
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[0].text, "5");
    }

    #[tokio::test]
    async fn a_watcher_sees_kept_lines_and_new_ones() {
        let output = Output::new(None);
        write(&output, "port 1\nport 2\n").await;
        let mut kept = output.watch(starts_with("port "));
        assert_eq!(kept.try_recv().expect("a kept line"), "1");

        let mut later = output.watch(starts_with("ready "));
        assert!(later.try_recv().is_err());
        // Far more lines than are kept.
        write(&output, &format!("ready yes\n{}", "noise\n".repeat(10 * MAX_LINES))).await;
        assert_eq!(later.try_recv().expect("a later line"), "yes");
    }

    #[tokio::test]
    async fn a_watcher_nobody_waits_for_goes_with_the_next_line() {
        let output = Output::new(None);
        drop(output.watch(starts_with("never")));
        assert_eq!(output.lock().watchers.len(), 1);
        write(&output, "line\n").await;
        assert_eq!(output.lock().watchers.len(), 0);
    }
}
