//! From a question to what became of it.

use std::{future::poll_fn, pin::pin, task::Context, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    client::conn::http1::{Connection, SendRequest, handshake},
    header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT},
    http::{self, response},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{
    answer::{Answer, judge},
    classify::by_hyper,
    dial,
    error::ProbeError,
    failure::ProbeFailure,
    resolve::{Admits, resolve},
    target::{HttpTarget, Place, Target},
};
use crate::clock::TimeLimit;

/// What is read of an answer, so that a daemon does not see its connection break over an ordinary body.
const BODY_LIMIT: usize = 64 * 1024;
/// How long the daemon is given to close the connection, as it was asked to: who closes first has to remember it for a
/// minute, and a prober that asks often would run out of ports.
const CLOSING: Duration = Duration::from_millis(100);

/// Whom to trust over TLS, in builds that have it.
#[derive(Clone, Default)]
pub(super) struct Trust {
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<super::tls::Tls>,
}

/// Asks once, over a connection of its own: a pooled one may be just closing, which would look like a failure.
pub(super) async fn exchange(
    target: &Target,
    timeout: Duration,
    admits: Option<&Admits>,
    trust: &Trust,
) -> Result<Answer, ProbeError> {
    let limit = TimeLimit::of(timeout);
    match &target.place {
        Place::Host { host, port } => {
            let addresses = resolve(target, host, *port, admits, limit).await?;
            let stream = dial::tcp(target, &addresses, limit).await?;
            encrypted(target, host, stream, limit, trust).await
        }
        Place::Socket(_) if admits.is_some() => {
            Err(ProbeError::new(target, ProbeFailure::NotAdmitted).with_detail("a socket has no address".to_owned()))
        }
        #[cfg(unix)]
        Place::Socket(path) => {
            let stream = dial::socket(target, path, limit).await?;
            converse(target, stream, limit).await
        }
        #[cfg(not(unix))]
        Place::Socket(_) => Err(ProbeError::new(target, ProbeFailure::InvalidUrl)),
    }
}

#[cfg(feature = "rustls")]
async fn encrypted(
    target: &Target,
    host: &str,
    stream: tokio::net::TcpStream,
    limit: TimeLimit,
    trust: &Trust,
) -> Result<Answer, ProbeError> {
    if !target.http.as_ref().is_some_and(|http| http.tls) {
        return converse(target, stream, limit).await;
    }
    let stream = super::tls::agree(target, host, stream, limit, trust.tls.as_ref()).await?;
    converse(target, stream, limit).await
}

#[cfg(not(feature = "rustls"))]
async fn encrypted(
    target: &Target,
    _: &str,
    stream: tokio::net::TcpStream,
    limit: TimeLimit,
    _: &Trust,
) -> Result<Answer, ProbeError> {
    converse(target, stream, limit).await
}

async fn converse<S>(target: &Target, stream: S, limit: TimeLimit) -> Result<Answer, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(http) = &target.http else {
        return Ok(Answer::default());
    };
    let request = request(http).map_err(|error| ProbeError::new(target, ProbeFailure::Other).with_source(error))?;
    match limit.bound(ask(stream, request, limit)).await {
        Some(Ok((head, body))) => judge(target, &head, &body),
        Some(Err(error)) => Err(ProbeError::new(target, by_hyper(&error)).with_source(error)),
        None => Err(ProbeError::new(target, ProbeFailure::Timeout)),
    }
}

fn request(target: &HttpTarget) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::get(&target.path_and_query)
        .header(HOST, &target.authority)
        .header(USER_AGENT, concat!("daemon-lifecycle/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/health+json, application/json;q=0.9, */*;q=0.5")
        .header(CONNECTION, "close");
    if let Some(authorization) = &target.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(Empty::new())
}

async fn ask<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    limit: TimeLimit,
) -> Result<(response::Parts, Vec<u8>), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, mut connection) = handshake(TokioIo::new(stream)).await?;
    let (head, body, whole) = drive(&mut connection, talk(sender, request)).await?;
    if whole {
        let mut stream = connection.into_parts().io.into_inner();
        // Whatever comes now, the answer has been had.
        let closing = tokio::time::timeout(CLOSING.min(limit.left()), stream.read_u8());
        drop(closing.await);
    }
    Ok((head, body))
}

/// The connection does its work only while it is polled. Its own failure reaches whoever waits for the answer.
async fn drive<S, T>(connection: &mut Connection<TokioIo<S>, Empty<Bytes>>, talk: impl Future<Output = T>) -> T
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut talk = pin!(talk);
    let mut open = true;
    poll_fn(|context: &mut Context<'_>| {
        open = open && connection.poll_without_shutdown(context).is_pending();
        talk.as_mut().poll(context)
    })
    .await
}

/// Head and beginning of the answer, and whether that is all of it.
async fn talk(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> Result<(response::Parts, Vec<u8>, bool), hyper::Error> {
    let (head, mut body) = sender.send_request(request).await?.into_parts();
    let (body, whole) = read_body(&mut body).await?;
    Ok((head, body, whole))
}

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
