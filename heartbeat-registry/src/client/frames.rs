//! Server-sent events taken apart, wherever the bytes happen to be cut.

use std::collections::VecDeque;
use std::time::Duration;

/// The longest line, and the most data of one frame, in bytes.
const MAX_FRAME: usize = 1024 * 1024;

/// What stands between two empty lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it is about; empty if not told.
    pub(super) event: String,
    /// The lines of its data. Without any, it is no event, though its `id` counts.
    pub(super) data: Option<String>,
    /// Where to go on after it.
    pub(super) id: Option<String>,
    /// How long to wait before reconnecting.
    pub(super) retry: Option<Duration>,
}

/// A line or a frame is longer than anyone needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes a stream of bytes apart, as the HTML standard has it. Whatever comes after the last empty line is no frame yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    frame: Frame,
    whole: VecDeque<Frame>,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// Past the first line, where a byte order mark is none of the text.
    begun: bool,
}

impl Frames {
    /// Takes some more bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        for byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.end_line()?;
                }
                byte => {
                    self.after_return = false;
                    if self.line.len() == MAX_FRAME {
                        return Err(TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    /// Whether no frame is whole yet.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// The next frame that is whole.
    pub(super) fn next(&mut self) -> Option<Frame> {
        self.whole.pop_front()
    }

    fn end_line(&mut self) -> Result<(), TooLong> {
        let line = String::from_utf8_lossy(&self.line);
        let line = if self.begun { &line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        self.begun = true;
        let result = if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            if frame != Frame::default() {
                self.whole.push_back(frame);
            }
            Ok(())
        } else {
            self.frame.take(line)
        };
        self.line.clear();
        result
    }
}

impl Frame {
    fn take(&mut self, line: &str) -> Result<(), TooLong> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => return self.add_data(value),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            // Comments have an empty name; of other fields nothing is known.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), TooLong> {
        let Some(data) = &mut self.data else {
            self.data = Some(value.to_owned());
            return Ok(());
        };
        if data.len() + value.len() >= MAX_FRAME {
            return Err(TooLong);
        }
        data.push('\n');
        data.push_str(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text comes to, however it is cut.
    fn frames(text: &[u8]) -> Vec<Frame> {
        let cut_at = |cuts: &[usize]| {
            let mut frames = Frames::default();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([text.len()]) {
                frames.feed(&text[from..cut]).unwrap();
                from = cut;
            }
            std::iter::from_fn(|| frames.next()).collect::<Vec<_>>()
        };
        let whole = cut_at(&[]);
        for cut in 0..text.len() {
            assert_eq!(cut_at(&[cut]), whole, "cut at {cut}");
        }
        assert_eq!(cut_at(&(1..text.len()).collect::<Vec<_>>()), whole, "byte by byte");
        whole
    }

    fn frame(event: &str, data: &str, id: Option<&str>) -> Frame {
        Frame { event: event.to_owned(), data: Some(data.to_owned()), id: id.map(str::to_owned), retry: None }
    }

    #[test]
    fn frames_end_at_empty_lines_however_lines_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "id: a-1\nevent: transition\ndata: {\"zone\":\"höhe ☃\"}\n\nevent: reset\ndata: 2\n\n"
                .replace('\n', end);
            let expected = [frame("transition", "{\"zone\":\"höhe ☃\"}", Some("a-1")), frame("reset", "2", None)];
            assert_eq!(frames(text.as_bytes()), expected, "{end:?}");
        }
    }

    #[test]
    fn what_has_no_empty_line_after_it_is_no_frame_yet() {
        assert_eq!(frames(b"id: a-1\ndata: 1\n\nid: a-2\ndata: 2"), [frame("", "1", Some("a-1"))]);
        assert_eq!(frames(b"id: a-2\ndata: 2\n"), []);
    }

    #[test]
    fn comments_and_unknown_fields_say_nothing() {
        assert_eq!(frames(b":\n\n: alive\n\ncolour: red\n\ndata: 1\n:\n\n"), [frame("", "1", None)]);
    }

    #[test]
    fn data_of_several_lines_is_joined_and_one_space_after_the_colon_is_dropped() {
        assert_eq!(frames(b"data: 1\ndata:2\ndata:  3\ndata\n\n"), [frame("", "1\n2\n 3\n", None)]);
    }

    #[test]
    fn an_id_and_a_retry_count_without_data() {
        let told = Frame { id: Some("a-0".to_owned()), retry: Some(Duration::from_millis(1500)), ..Frame::default() };
        assert_eq!(frames(b"retry: 1500\nid: a-0\n\n"), [told]);
        assert_eq!(frames(b"retry: soon\n\nretry: -1\n\nid: a\0b\n\n"), []);
    }

    #[test]
    fn a_byte_order_mark_is_none_of_the_text() {
        assert_eq!(frames("\u{feff}data: 1\n\ndata: \u{feff}\n\n".as_bytes()).len(), 2);
        assert_eq!(frames("\u{feff}data: 1\n\n".as_bytes()), [frame("", "1", None)]);
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced() {
        assert_eq!(frames(b"data: \xff\n\n"), [frame("", "\u{fffd}", None)]);
    }

    #[test]
    fn neither_a_line_nor_a_frame_grows_without_bound() {
        let mut frames = Frames::default();
        assert_eq!(frames.feed(&vec![b'x'; MAX_FRAME]), Ok(()));
        assert_eq!(frames.feed(b"x"), Err(TooLong));
        let mut frames = Frames::default();
        let line = format!("data: {}\n", "x".repeat(MAX_FRAME / 4));
        let fed: Vec<_> = (0..5).map(|_| frames.feed(line.as_bytes())).collect();
        assert_eq!(fed, [Ok(()), Ok(()), Ok(()), Err(TooLong), Err(TooLong)]);
    }
}
