//! A reader of event streams that knows only bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A stream of events as far as it has been read, byte by byte as they came.
pub(crate) struct Tail {
    stream: TcpStream,
    raw: Vec<u8>,
}

/// One frame, as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
}

impl Told {
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_str(self.data.as_deref().unwrap()).unwrap()
    }
}

impl Tail {
    /// Asks for the stream; `last` is what a browser says when it reconnects.
    pub(crate) async fn open(stream: TcpStream, query: &str, last: Option<&str>) -> Self {
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        Self::open_with(stream, query, &last).await
    }

    /// Asks for the stream with headers of one's own.
    pub(crate) async fn open_with(mut stream: TcpStream, query: &str, headers: &str) -> Self {
        let accept = "accept: text/event-stream\r\n";
        let head = format!("GET /v1/events{query} HTTP/1.1\r\nhost: test\r\n{accept}{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, raw: Vec::new() }
    }

    /// Reads what comes next, at most so many bytes; `false` if nothing else will.
    pub(crate) async fn read(&mut self, most: usize) -> bool {
        let mut bytes = vec![0; most];
        let read = self.stream.read(&mut bytes).await.unwrap_or(0);
        self.raw.extend_from_slice(&bytes[..read]);
        read > 0 && !self.ended_cleanly()
    }

    /// Reads until there are so many whole frames, comments among them.
    pub(crate) async fn frames(&mut self, count: usize) -> Vec<Told> {
        self.read_until(|tail| tail.told().len() >= count).await
    }

    /// Reads until it has been told an event of this number, or where to go on after it.
    #[cfg(feature = "client")]
    pub(crate) async fn frames_until(&mut self, n: u64) -> Vec<Told> {
        let end = format!("-{n}");
        let is_it = |told: &Told| told.id.as_ref().is_some_and(|id| id.ends_with(&end));
        self.read_until(|tail| tail.told().last().is_some_and(is_it)).await
    }

    /// Reads until the end.
    pub(crate) async fn rest(&mut self) -> Vec<Told> {
        self.read_until(|_| false).await
    }

    async fn read_until(&mut self, is_enough: impl Fn(&Self) -> bool) -> Vec<Told> {
        let reading = async { while !self.ended_cleanly() && !is_enough(self) && self.read(1 << 20).await {} };
        tokio::time::timeout(Duration::from_secs(30), reading).await.expect("it comes within half a minute");
        self.told()
    }

    #[cfg(feature = "client")]
    pub(crate) fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the answer came to its proper end, not just the connection.
    pub(crate) fn ended_cleanly(&self) -> bool {
        self.raw.ends_with(b"\r\n0\r\n\r\n")
    }

    pub(crate) fn head(&self) -> String {
        let end = find(&self.raw, b"\r\n\r\n").unwrap_or(self.raw.len());
        String::from_utf8(self.raw[..end].to_vec()).unwrap().to_lowercase()
    }

    /// The text so far, without head and chunk sizes.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let Some(head) = find(&self.raw, b"\r\n\r\n") else { return text };
        let mut rest = &self.raw[head + 4..];
        while let Some(line) = find(rest, b"\r\n") {
            let size = std::str::from_utf8(&rest[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let chunk = &rest[line + 2..];
            text.extend_from_slice(&chunk[..size.min(chunk.len())]);
            rest = chunk.get(size + 2..).unwrap_or_default();
        }
        text
    }

    /// The frames that are whole.
    pub(crate) fn told(&self) -> Vec<Told> {
        let text = self.text();
        let mut rest = text.as_slice();
        let mut told = Vec::new();
        while let Some(end) = find(rest, b"\n\n") {
            told.push(frame(std::str::from_utf8(&rest[..end]).unwrap()));
            rest = &rest[end + 2..];
        }
        told
    }
}

fn frame(text: &str) -> Told {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Told { id: field("id: "), event: field("event: "), data: field("data: ") }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
