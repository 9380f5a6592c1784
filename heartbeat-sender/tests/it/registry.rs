//! A registry of a few lines that does, request by request, what a test tells it.

use std::time::Duration;

use heartbeat_contract::{BeatInfo, WorkerHeartbeat, decode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// In real time, longer than a loaded machine takes.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) const ACK: &str =
    r#"{"acknowledged":true,"server_time":"2026-01-02T03:04:05.690Z","next_in_ms":100,"directives":[]}"#;

pub(crate) struct Registry {
    listener: TcpListener,
    pub(crate) url: String,
}

pub(crate) struct Connection<S = TcpStream>(pub(crate) S);

/// One request, head and body.
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Waits for something that must happen.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(BOUND, what).await.expect("it did not happen within a minute")
}

impl Registry {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub(crate) async fn accept(&self) -> Connection {
        Connection(soon(self.listener.accept()).await.unwrap().0)
    }

    /// Whether a connection waits to be accepted.
    #[cfg(all(feature = "relay", unix))]
    pub(crate) async fn has_caller(&self) -> bool {
        timeout(Duration::ZERO, self.listener.accept()).await.is_ok()
    }

    /// The next request on a new connection.
    pub(crate) async fn hear(&self) -> (Connection, Request) {
        let mut connection = self.accept().await;
        let request = connection.hear().await.expect("a connection is opened for a request");
        (connection, request)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The next request, or `None` if the sender closes the connection instead.
    pub(crate) async fn hear(&mut self) -> Option<Request> {
        let mut read = Vec::new();
        let head = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8(read[..end].to_vec()).unwrap().to_ascii_lowercase();
            }
            self.read_more(&mut read).await?;
        };
        let start = head.len() + 4;
        let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
        while read.len() < start + length {
            self.read_more(&mut read).await?;
        }
        Some(Request { head, body: read[start..].to_vec() })
    }

    pub(crate) async fn answer(&mut self, status: &str, headers: &str, body: &str) {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        // A sender that has given up meanwhile has closed the connection, which is for the test to notice.
        self.0.write_all(answer.as_bytes()).await.ok();
    }

    pub(crate) async fn acknowledge(&mut self) {
        self.answer("200 OK", "content-type: application/json\r\n", ACK).await;
    }

    /// Begins an answer and closes the connection.
    pub(crate) async fn cut_short(mut self) {
        self.0.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    }

    async fn read_more(&mut self, read: &mut Vec<u8>) -> Option<()> {
        let count = soon(self.0.read_buf(read)).await.ok()?;
        (count > 0).then_some(())
    }
}

impl Request {
    pub(crate) fn worker(&self) -> WorkerHeartbeat {
        decode(&self.body).unwrap()
    }

    pub(crate) fn beat(&self) -> BeatInfo {
        self.worker().beat.unwrap()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.beat().seq.unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
}
