//! The last lines of output.

use std::collections::VecDeque;

/// Of a longer line, the beginning is kept.
const MAX_LINE_BYTES: usize = 1024;

/// The last lines of one or two streams, bounded in number and length.
#[derive(Debug)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    most: usize,
}

/// Puts the bytes of one stream together to lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Tail {
    pub(super) fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), most }
    }

    pub(super) fn push(&mut self, line: String) {
        if self.most == 0 {
            return;
        }
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// A first line, and under it as many of the last lines as fit in so many bytes.
    pub(super) fn under(&self, first: &str, limit: usize) -> String {
        let mut left = limit.saturating_sub(first.len());
        let mut fitting = Vec::new();
        for line in self.lines.iter().rev() {
            let Some(rest) = left.checked_sub(line.len() + 1) else {
                let cut = line.floor_char_boundary(left.saturating_sub(1));
                if fitting.is_empty() && cut > 0 {
                    fitting.push(&line[..cut]);
                }
                break;
            };
            left = rest;
            fitting.push(line);
        }
        fitting.push(&first[..first.floor_char_boundary(limit)]);
        fitting.reverse();
        fitting.join("\n")
    }
}

impl Lines {
    /// Takes bytes, and hands out the lines that end in them.
    pub(super) fn take(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = MAX_LINE_BYTES.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            if parts.peek().is_some() {
                line(text(&std::mem::take(&mut self.begun)));
            }
        }
    }

    /// Hands out the line that has begun, if any has.
    pub(super) fn rest(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| text(&std::mem::take(&mut self.begun)))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.take(chunk, |line| told.push(line));
        }
        told.extend(lines.rest());
        told
    }

    #[test]
    fn lines_are_put_together_from_whatever_pieces_come() {
        assert_eq!(lines(&[b"a\nb", b"c\n", b"\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b"dos\r\n\xff\n"]), ["dos", "\u{fffd}"]);
        assert_eq!(lines(&[&[b'x'; 5_000], b"y\nz\n"]), [&"x".repeat(1_024), "z"]);
    }

    #[test]
    fn the_last_lines_that_fit_stand_under_the_first() {
        let mut tail = Tail::new(3);
        ["one", "two", "three", "four"].iter().for_each(|line| tail.push((*line).to_owned()));
        assert_eq!(tail.under("status 3", 1_024), "status 3\ntwo\nthree\nfour");
        assert_eq!(tail.under("status 3", 19), "status 3\nthree\nfour");
        assert_eq!(tail.under("status 3", 11), "status 3\nfo");
        assert_eq!(tail.under("status 3", 4), "stat");
        assert!(Tail::new(0).under("status 3", 99).eq("status 3"));
    }
}
