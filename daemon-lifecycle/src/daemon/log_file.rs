use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

/// How many pieces of output, of at most 64 KiB and mostly far less, may wait for a slow disk.
const MAX_WAITING: usize = 64;
/// A line that is longer is written in pieces.
const MAX_PIECE: usize = 64 * 1024;

/// Appends output to a file, on a thread of its own: what a disk cannot take in time is lost and counted, and nobody
/// waits for it.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pieces: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl LogFile {
    /// The receiver hears of the end of the thread, which comes once all clones are gone.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let (pieces, waiting) = sync_channel(MAX_WAITING);
        let (ended, end) = oneshot::channel();
        let lost = Arc::<AtomicU64>::default();
        let writer = Writer { file, lost: Arc::clone(&lost) };
        thread::Builder::new().name("daemon-log".to_owned()).spawn(move || {
            writer.run(&waiting);
            ended.send(()).ok();
        })?;
        Ok((Self { pieces, lost }, end))
    }

    fn append(&self, piece: Vec<u8>) {
        let length = piece.len();
        if self.pieces.try_send(piece).is_err() {
            count(&self.lost, length);
        }
    }
}

struct Writer {
    file: File,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Vec<u8>>) {
        while let Ok(piece) = waiting.recv() {
            self.tell_what_is_lost();
            if self.file.write_all(&piece).is_err() {
                count(&self.lost, piece.len());
            }
        }
        self.tell_what_is_lost();
    }

    fn tell_what_is_lost(&mut self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && writeln!(self.file, "[{lost} bytes of output were not written]").is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

fn count(lost: &AtomicU64, length: usize) {
    lost.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// One of the streams that go to a file: passes on whole lines, so that two streams do not mix within one.
#[derive(Debug)]
pub(crate) struct LogStream {
    file: LogFile,
    begun: Vec<u8>,
}

impl LogStream {
    pub(crate) fn new(file: LogFile) -> Self {
        Self { file, begun: Vec::new() }
    }

    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.begun.extend_from_slice(chunk);
        let whole = match chunk.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => self.begun.len() - (chunk.len() - end - 1),
            None if self.begun.len() >= MAX_PIECE => self.begun.len(),
            None => return,
        };
        let rest = self.begun.split_off(whole);
        self.file.append(std::mem::replace(&mut self.begun, rest));
    }

    /// Ends the last line where the stream did not, for the sake of the other stream.
    pub(crate) fn finish(mut self) {
        if !self.begun.is_empty() {
            self.begun.push(b'\n');
            self.file.append(self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, LogFile, LogStream, sync_channel};

    fn pieces(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (pieces, waiting) = sync_channel(super::MAX_WAITING);
        let mut stream = LogStream::new(LogFile { pieces, lost: Arc::default() });
        chunks.iter().for_each(|chunk| stream.feed(chunk));
        stream.finish();
        waiting.iter().collect()
    }

    #[test]
    fn lines_are_passed_on_whole_however_the_chunks_fall() {
        assert_eq!(pieces(&[b"a\nb\nc", b"d", b"\n"]), [b"a\nb\n".as_slice(), b"cd\n"]);
        assert_eq!(pieces(&[b"\xff no newline"]), [b"\xff no newline\n"]);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let found = pieces(&[&[b'x'; 70_000], &[b'y'; 10], b"\n"]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [70_000, 11]);
    }

    #[test]
    fn what_nobody_takes_in_time_is_counted_and_not_waited_for() {
        let (pieces, _nobody_reads) = sync_channel(1);
        let file = LogFile { pieces, lost: Arc::default() };
        let mut stream = LogStream::new(file.clone());
        stream.feed(b"kept\n");
        stream.feed(b"lost\n");
        assert_eq!(file.lost.load(super::Ordering::Relaxed), 5);
    }
}
