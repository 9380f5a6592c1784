//! One request after the other to a server, over a connection that is kept.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The most that is read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Goes to a server and comes back with whatever it answers.
pub(super) struct Errand {
    address: SocketAddr,
    path: Uri,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why it did not come back, for a reason that is not that it takes long.
#[derive(Debug)]
pub(super) struct Lost(String);

impl Lost {
    pub(super) fn unanswered(within: Duration) -> Self {
        Self(format!("a new connection was not answered within {} s", within.as_secs()))
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Errand {
    pub(super) fn new(address: SocketAddr, path: Uri) -> Self {
        Self { address, path, connection: None }
    }

    /// Posts an empty batch and reads the answer, over the connection that was answered before. Tells whether there was one,
    /// and it did not break.
    pub(super) async fn again(&mut self) -> bool {
        let Some(connection) = self.connection.take() else { return false };
        let Ok(connection) = self.exchange(connection).await else { return false };
        self.connection = connection;
        true
    }

    /// Does so over a new connection.
    pub(super) async fn anew(&mut self) -> Result<(), Lost> {
        let connection = self.connect().await?;
        let lost = |error| Lost(format!("{} broke off a new connection: {error}", self.address));
        self.connection = self.exchange(connection).await.map_err(lost)?;
        Ok(())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Lost> {
        let lost = |error: &dyn fmt::Display| Lost(format!("cannot connect to {}: {error}", self.address));
        let stream = loop {
            match TcpStream::connect(self.address).await {
                Ok(stream) => break stream,
                // A listener that accepts nothing for minutes is slow, too.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(error) => return Err(lost(&error)),
            }
        };
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        tokio::spawn(async move {
            // How it ends shows in what is sent over it.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection of canaries broke");
            }
        });
        Ok(sender)
    }

    /// Returns the connection if it can be kept.
    async fn exchange(
        &self,
        mut connection: SendRequest<Full<Bytes>>,
    ) -> Result<Option<SendRequest<Full<Bytes>>>, hyper::Error> {
        connection.ready().await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.path.clone())
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))
            .expect("an address makes a valid header");
        let answer = connection.send_request(request).await?;
        let is_read = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await.is_ok();
        Ok(is_read.then_some(connection))
    }
}
