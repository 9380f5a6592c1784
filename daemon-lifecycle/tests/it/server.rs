use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A server on a free port of 127.0.0.1 that gives every request the same bytes for an answer, and then hangs up.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::by_turns(move |_| answer.clone()).await
    }

    /// Answers the n-th request, counted from 1, with `answer(n)`.
    pub(crate) async fn by_turns(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::default();
        let mut task = JoinSet::new();
        let requests: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(request) = read_request(&mut stream).await else { continue };
                let turn = {
                    let mut requests = requests.lock().expect("not poisoned");
                    requests.push(request);
                    requests.len()
                };
                // A client that does not want the whole answer may hang up.
                stream.write_all(&answer(turn)).await.ok();
            }
        });
        Self { address, asked, _task: task }
    }

    /// Where whoever connects gets these bytes once it has said something, be that HTTP or not.
    #[cfg(feature = "rustls")]
    pub(crate) async fn of_raw_bytes(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.read_u8().await.ok();
                stream.write_all(answer).await.ok();
            }
        });
        Self { address, asked: Arc::default(), _task: task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The first line of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let request = String::from_utf8_lossy(&request);
    Ok(request.lines().next().unwrap_or_default().to_owned())
}

pub(crate) fn status(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

/// `application/health+json`, with more header lines if there are any.
pub(crate) fn health_json(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let more = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/health+json\r\n{more}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// An address where nobody listens: the listener that reserved the port keeps it from being given to anyone, but a
/// socket that does not listen refuses.
pub(crate) struct Refusing {
    pub(crate) address: SocketAddr,
    _socket: tokio::net::TcpSocket,
}

impl Refusing {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("an address");
        Self { address, _socket: socket }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
