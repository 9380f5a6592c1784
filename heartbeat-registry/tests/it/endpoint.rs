//! Endpoints of members, to be probed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Listens on a free port of 127.0.0.1, and counts who connects.
pub(crate) struct Endpoint {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
    _tasks: JoinSet<()>,
}

impl Endpoint {
    /// Answers every request with the same bytes, and hangs up.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let endpoint = Self::waiting(answer).await;
        endpoint.answers.add_permits(Semaphore::MAX_PERMITS / 2);
        endpoint
    }

    /// Takes connections and answers none until told to.
    pub(crate) async fn waiting(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, closed, answers) = (Arc::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, answer, Arc::clone(&asked), Arc::clone(&closed), Arc::clone(&answers)));
        Self { address, asked, closed, answers, _tasks: tasks }
    }

    /// Lets one request be answered.
    pub(crate) fn answer_one(&self) {
        self.answers.add_permits(1);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests came so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until this many requests have come.
    pub(crate) async fn is_asked(&self, times: usize) {
        reaches(&self.asked, times).await;
    }

    /// Waits until this many have hung up before they were answered.
    pub(crate) async fn is_left(&self, times: usize) {
        reaches(&self.closed, times).await;
    }
}

async fn serve(
    listener: TcpListener,
    answer: Arc<str>,
    asked: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (answer, asked, closed) = (Arc::clone(&answer), Arc::clone(&asked), Arc::clone(&closed));
        let answers = Arc::clone(&answers);
        connections.spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    continue;
                }
                return;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::select! {
                permit = answers.acquire() => permit.unwrap().forget(),
                _ = stream.read_u8() => {
                    closed.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
    }
}

async fn reaches(count: &AtomicUsize, times: usize) {
    let reached = async {
        while count.load(Ordering::SeqCst) < times {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), reached).await.expect("it happens within half a minute");
}

/// An address of which the port is taken and nobody listens.
pub(crate) fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

/// An answer with a status line and a body.
pub(crate) fn status(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
