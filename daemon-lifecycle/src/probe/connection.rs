//! HTTP/1.1 over a connection that stands.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    client::conn::http1::{Connection, SendRequest, handshake},
    http::response,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::clock::TimeLimit;

/// What is read of an answer, so that a daemon does not see its connection break over an ordinary body.
const BODY_LIMIT: usize = 64 * 1024;
/// How long the daemon is given to close the connection: who closes first has to remember it for a minute, and a prober
/// that asks often would run out of ports.
const CLOSING: Duration = Duration::from_millis(100);

/// TCP, TLS over it, or a Unix socket.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that does its work only while somebody asks.
pub(super) struct Open {
    sender: SendRequest<Empty<Bytes>>,
    connection: Connection<TokioIo<Box<dyn Stream>>, Empty<Bytes>>,
    /// The other side, or the protocol, may have ended it.
    ended: bool,
    /// Whether the last answer was read to its end, so that what comes next is the next one.
    whole: bool,
}

/// An answer: its head, and its body as far as it was read.
pub(super) struct Said {
    pub(super) head: response::Parts,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// The connection failed before the head of an answer had come.
    Unanswered(hyper::Error),
    /// And after that.
    CutOff(hyper::Error),
    /// The time was up.
    Late,
}

impl Open {
    pub(super) async fn over(stream: Box<dyn Stream>) -> Result<Self, Failure> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Failure::Unanswered)?;
        Ok(Self { sender, connection, ended: false, whole: false })
    }

    pub(super) async fn ask(&mut self, request: Request<Empty<Bytes>>, limit: TimeLimit) -> Result<Said, Failure> {
        limit.bound(self.converse(request)).await.unwrap_or(Err(Failure::Late))
    }

    async fn converse(&mut self, request: Request<Empty<Bytes>>) -> Result<Said, Failure> {
        let Self { sender, connection, ended, whole } = self;
        // What the daemon did to the connection since the last question is seen before anything is sent.
        let head = drive(connection, ended, async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        let (head, mut incoming) = head.await.map_err(Failure::Unanswered)?.into_parts();
        let read = drive(connection, ended, read_body(&mut incoming)).await;
        let (body, all) = read.map_err(Failure::CutOff)?;
        *whole = all;
        Ok(Said { head, body })
    }

    /// Whether another question can be asked over it, as far as that is known: the protocol may have ended it.
    pub(super) fn can_go_on(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.ended = self.ended || self.connection.poll_without_shutdown(&mut context).is_ready();
        self.whole && !self.ended
    }

    /// Leaves it to the daemon to close it, if that is quick.
    pub(super) async fn close(self, limit: TimeLimit) {
        // What has not been read would keep it from closing.
        if self.whole {
            let mut stream = self.connection.into_parts().io.into_inner();
            // Whatever comes now, the answer has been had.
            let closing = tokio::time::timeout(CLOSING.min(limit.left()), stream.read_u8());
            drop(closing.await);
        }
    }
}

/// The connection does its work only while it is polled. Its own failure reaches whoever waits for the answer.
async fn drive<T>(
    connection: &mut Connection<TokioIo<Box<dyn Stream>>, Empty<Bytes>>,
    ended: &mut bool,
    talk: impl Future<Output = T>,
) -> T {
    let mut talk = pin!(talk);
    poll_fn(|context: &mut Context<'_>| {
        *ended = *ended || connection.poll_without_shutdown(context).is_ready();
        talk.as_mut().poll(context)
    })
    .await
}

/// The beginning of the body, and whether that is all of it.
async fn read_body(incoming: &mut Incoming) -> Result<(Vec<u8>, bool), hyper::Error> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == BODY_LIMIT {
            return Ok((body, false));
        }
    }
    Ok((body, true))
}
