//! HTTP as it goes over the wire, byte by byte.

use std::time::Duration;

use heartbeat_registry::contract::Problem;
use heartbeat_registry::http::{ServeConfig, not_found, router, serve};
use heartbeat_registry::{Fleet, FleetConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A server of workers and hives.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) fleet: Fleet,
    served: JoinHandle<()>,
    stop: DropGuard,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ServeConfig::default(), FleetConfig::default()).await
    }

    pub(crate) async fn with(config: ServeConfig, fleet: FleetConfig) -> Self {
        let fleet = Fleet::start(fleet).unwrap();
        let app = router(&fleet).fallback(not_found);
        Self::of(config, fleet, app).await
    }

    pub(crate) async fn of(config: ServeConfig, fleet: Fleet, app: axum::Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, app, config, stop.clone().cancelled_owned()));
        Self { address, fleet, served, stop: stop.drop_guard() }
    }

    /// Stops, and returns once all connections have ended.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        tokio::time::timeout(Duration::from_secs(30), self.served)
            .await
            .expect("it stops within half a minute")
            .unwrap();
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection { stream: TcpStream::connect(self.address).await.unwrap() }
    }

    pub(crate) fn members(&self) -> u64 {
        self.fleet.stats().members.total
    }
}

/// One connection, kept for several requests.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn problem(&self) -> Problem {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem: Problem = self.json();
        assert_eq!(problem.status, self.status);
        problem
    }
}

impl Connection {
    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send("POST", path, "content-type: application/json\r\n", body).await
    }

    #[cfg(feature = "client")]
    pub(crate) async fn put(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send("PUT", path, "content-type: application/json\r\n", body).await
    }

    #[cfg(feature = "client")]
    pub(crate) async fn delete_with(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send("DELETE", path, "content-type: application/json\r\n", body).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", b"").await
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
        self.stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has seen enough may close before all is written.
        let _answered = self.stream.write_all(body).await;
        self.answer().await.expect("the connection answers")
    }

    /// The next answer, or `None` if the connection was closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(Duration::from_secs(30), self.read_answer()).await.expect("an answer within half a minute")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1)?.parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Answer { status, head, body })
    }
}
