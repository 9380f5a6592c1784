/// Longest line that is kept, in bytes; what exceeds it is dropped and marked.
pub(crate) const MAX_LINE: usize = 4 * 1024;

/// Cuts a stream of bytes into lines, in bounded memory whatever the stream holds.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    line: Vec<u8>,
    cut: bool,
}

impl LineSplitter {
    /// Calls `emit` for each line that `chunk` completes.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], mut emit: impl FnMut(String)) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.append(&chunk[..end]);
            emit(self.take());
            chunk = &chunk[end + 1..];
        }
        self.append(chunk);
    }

    /// The line that the end of the stream left without its newline.
    pub(crate) fn finish(mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.line.len();
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> String {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let mut text = String::from_utf8_lossy(line).into_owned();
        if self.cut {
            text.push_str(" [cut]");
        }
        self.line.clear();
        self.cut = false;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{LineSplitter, MAX_LINE};

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, |line| lines.push(line));
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_are_found_however_the_chunks_fall() {
        assert_eq!(lines(&[b"a\nb\n"]), ["a", "b"]);
        assert_eq!(lines(&[b"a", b"b", b"\nc", b"\n"]), ["ab", "c"]);
        assert_eq!(lines(&[b"a\r\n\nb\r\n"]), ["a", "", "b"]);
    }

    #[test]
    fn the_end_of_the_stream_completes_the_last_line() {
        assert_eq!(lines(&[b"a\nno newline"]), ["a", "no newline"]);
        assert_eq!(lines(&[]), [""; 0]);
    }

    #[test]
    fn an_overlong_line_is_cut_marked_and_followed_by_the_next() {
        let long = vec![b'x'; 1 << 20];
        let found = lines(&[&long, &long, b"\nnext\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), MAX_LINE + " [cut]".len());
        assert!(found[0].ends_with("x [cut]"));
        assert_eq!(found[1], "next");
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let full = vec![b'x'; MAX_LINE];
        assert_eq!(lines(&[&full, b"\n"]), [String::from_utf8_lossy(&full)]);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        assert_eq!(lines(&[b"\xff!\n"]), ["\u{fffd}!"]);
    }
}
