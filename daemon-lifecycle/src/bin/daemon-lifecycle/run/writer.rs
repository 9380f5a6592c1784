use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How many bytes of the daemon's output may wait to be written; with more, the daemon waits, as it would with a pipe of its
/// own.
const OUTPUT_ROOM: usize = 64 * 1024;
/// How many bytes may wait before messages are lost: whoever tells what happens waits for nobody.
const MESSAGE_ROOM: usize = 4 * 1024 * 1024;

/// A stream that a thread of its own writes to. Whoever should read it may not, and supervision goes on all the same.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: String,
    /// Whether something is being written, which has gone from the text.
    writing: bool,
    /// So many messages found no room.
    lost: u64,
    /// The run whose output is waited for.
    run: u32,
}

impl Writer {
    /// The thread ends with the process.
    pub(crate) fn to(stream: impl Write + Send + 'static) -> std::io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let writer = Self(Arc::clone(&queue));
        thread::Builder::new().name("writer".to_owned()).spawn(move || queue.write(stream))?;
        Ok(writer)
    }

    /// For the lines that the next run writes. What an earlier one has still to say waits for room no longer.
    pub(crate) fn next_run(&self) -> RunOutput {
        let mut waiting = self.0.lock();
        waiting.run += 1;
        self.0.changed.notify_all();
        RunOutput { queue: Arc::clone(&self.0), run: waiting.run }
    }

    /// For a message about what happens: waits for nothing.
    pub(crate) fn tell(&self, message: &str) {
        let mut waiting = self.0.lock();
        if waiting.text.len() >= MESSAGE_ROOM {
            waiting.lost += 1;
            return;
        }
        match std::mem::take(&mut waiting.lost) {
            0 => {}
            lost => waiting.text += &format!("[{lost} messages were lost, since nobody read this]\n"),
        }
        self.0.add(waiting, message);
    }

    /// Waits until all is written, but no longer than this.
    pub(crate) fn flush(&self, patience: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.writing || !waiting.text.is_empty();
        // Whoever has not read by then is not waited for.
        drop(self.0.changed.wait_timeout_while(self.0.lock(), patience, is_busy));
    }
}

/// What one run writes to a stream.
pub(crate) struct RunOutput {
    queue: Arc<Queue>,
    run: u32,
}

impl RunOutput {
    /// Waits for room. On a worker of the runtime, which gets another in its place.
    pub(crate) fn pass_on(&self, line: &str) {
        let has_room = |waiting: &Waiting| waiting.text.len() < OUTPUT_ROOM;
        let waiting = self.queue.lock();
        if has_room(&waiting) {
            return self.queue.add(waiting, line);
        }
        drop(waiting);
        tokio::task::block_in_place(|| {
            let waiting = self.queue.until(|waiting| has_room(waiting) || waiting.run > self.run);
            if has_room(&waiting) {
                self.queue.add(waiting, line);
            }
        });
    }
}

impl Queue {
    fn write(&self, mut stream: impl Write) {
        loop {
            let mut waiting = self.until(|waiting| !waiting.text.is_empty());
            let text = std::mem::take(&mut waiting.text);
            waiting.writing = true;
            self.changed.notify_all();
            drop(waiting);
            // Whoever read it is gone, and the exit code says it all.
            stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).ok();
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    fn add(&self, mut waiting: MutexGuard<'_, Waiting>, line: &str) {
        waiting.text.push_str(line);
        waiting.text.push('\n');
        self.changed.notify_all();
    }

    fn until(&self, is_it: impl Fn(&Waiting) -> bool) -> MutexGuard<'_, Waiting> {
        let waited = self.changed.wait_while(self.lock(), |waiting| !is_it(waiting));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{PipeReader, Read, pipe},
        thread,
        time::Duration,
    };

    use super::{MESSAGE_ROOM, OUTPUT_ROOM, Writer};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Nobody reads it until the reader is used.
    fn writer() -> (Writer, PipeReader) {
        let (reader, end) = pipe().expect("a pipe");
        (Writer::to(end).expect("a thread"), reader)
    }

    fn lines(mut reader: PipeReader, count: usize) -> Vec<String> {
        let (mut text, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        while text.iter().filter(|byte| **byte == b'\n').count() < count {
            let read = reader.read(&mut chunk).expect("a pipe");
            text.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_read_comes_whole_and_in_order() {
        let (writer, reader) = writer();
        let reading = thread::spawn(move || lines(reader, 20_000));
        let run = writer.next_run();
        for n in 0..10_000 {
            run.pass_on(&format!("output {n}"));
            writer.tell(&format!("message {n}"));
        }
        let lines = reading.join().expect("to read");
        assert!((0..10_000).all(|n| lines[2 * n] == format!("output {n}")));
        assert!((0..10_000).all(|n| lines[2 * n + 1] == format!("message {n}")));
    }

    #[test]
    fn nobody_who_tells_something_waits_and_what_is_lost_is_counted() {
        let (writer, reader) = writer();
        // One is being written, one or two wait.
        let told = 6;
        (0..told).for_each(|_| writer.tell(&"x".repeat(MESSAGE_ROOM)));
        let reading = thread::spawn(move || {
            let (mut reader, mut text, mut chunk) = (reader, Vec::new(), vec![0; 64 * 1024]);
            while !text.ends_with(b"end\n") {
                let read = reader.read(&mut chunk).expect("a pipe");
                text.extend_from_slice(&chunk[..read]);
            }
            String::from_utf8(text).expect("text")
        });
        writer.flush(PATIENCE);
        writer.tell("end");
        let text = reading.join().expect("to read");
        let came = text.lines().filter(|line| line.starts_with('x')).count();
        assert!((1..=3).contains(&came), "{came}");
        let lost = format!("\n[{} messages were lost, since nobody read this]\nend\n", told - came);
        assert!(text.ends_with(&lost), "{}", &text[text.len() - 100..]);
    }

    #[test]
    fn output_waits_for_room_and_goes_on_once_it_is_read() {
        let (writer, reader) = writer();
        let count = 10 * OUTPUT_ROOM / 100;
        let run = writer.next_run();
        let writing = thread::spawn(move || (0..count).for_each(|_| run.pass_on(&"x".repeat(99))));
        // The pipe and the queue hold less than all.
        writer.flush(Duration::from_millis(50));
        assert!(!writing.is_finished());
        assert_eq!(lines(reader, count).len(), count);
        writing.join().expect("to write");
    }

    #[test]
    fn what_an_earlier_run_has_still_to_say_waits_for_nobody() {
        let (writer, _reader) = writer();
        let run = writer.next_run();
        let writing = thread::spawn(move || (0..10 * OUTPUT_ROOM).for_each(|_| run.pass_on("x")));
        writer.flush(Duration::from_millis(50));
        assert!(!writing.is_finished());
        drop(writer.next_run());
        writing.join().expect("to be let go");
    }
}
