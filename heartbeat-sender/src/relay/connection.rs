//! One connection to the relay.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use heartbeat_contract::{Kind, MAX_BEAT_BYTES, MemberId, Problem, ProblemType, routes};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::letter::{Answer, Letter, Sealed};
use super::{Peer, is_worker};

/// How long a head may take. Also how long an idle connection is kept: longer than the usual intervals.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Where beats come in.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) letters: mpsc::Sender<Letter>,
    pub(super) seen: mpsc::Sender<Peer>,
    pub(super) hive_id: Option<MemberId>,
}

/// Answers the requests of one connection, until it ends or the relay stops.
pub(super) async fn converse(
    connection: TokioIo<UnixStream>,
    door: Arc<Door>,
    pid: Option<u32>,
    mut stopped: watch::Receiver<bool>,
) {
    let serve = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(response(&answer(request, &door, pid).await)) }
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(connection, serve);
    tokio::pin!(conversation);
    let stopping = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stopping => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the relay broke");
    }
}

async fn answer(request: Request<Incoming>, door: &Door, pid: Option<u32>) -> Answer {
    let kind =
        kind_of(request.uri().path()).ok_or_else(|| Problem::new(ProblemType::NotFound, "only beats are relayed"))?;
    if request.method() != Method::POST {
        return Err(Problem::new(ProblemType::MethodNotAllowed, "a beat is a POST"));
    }
    let json = body(request.into_body()).await?;
    let beat = Sealed::read(kind, &json, door.hive_id.as_ref())?;
    if let Some(pid) = pid.filter(|_| beat.incarnation.is_some() && is_worker(&beat.kind)) {
        // A peer for whom there is no room now is told of by its next beat.
        let peer = Peer { id: beat.id.clone(), incarnation: beat.incarnation, pid, is_last: beat.is_last };
        door.seen.try_send(peer).ok();
    }
    let (answer, answered) = oneshot::channel();
    let full = |_| Problem::new(ProblemType::Unavailable, "too many beats wait here");
    door.letters.try_send(Letter { beat, answer }).map_err(full)?;
    answered.await.unwrap_or_else(|_| Err(Problem::new(ProblemType::Unavailable, "the relay stops")))
}

/// The kind whose beats go to a path.
fn kind_of(path: &str) -> Option<Kind> {
    let rest = path.strip_prefix("/v1/")?;
    let kind = rest.strip_suffix("-heartbeat").or_else(|| rest.strip_suffix("/heartbeat"))?;
    let kind = Kind::new(kind).ok()?;
    [routes::beat(&kind), routes::beat_alias(&kind)].contains(&path.to_owned()).then_some(kind)
}

async fn body(body: Incoming) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BEAT_BYTES).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Problem::new(ProblemType::TooLarge, format!("the body has more than {MAX_BEAT_BYTES} bytes")))
        }
        Ok(Err(error)) => Err(Problem::new(ProblemType::InvalidPayload, format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::new(ProblemType::InvalidPayload, "the body took too long")),
    }
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let (status, content_type, json) = match answer {
        Ok(ack) => (200, "application/json", serde_json::to_vec(ack)),
        Err(problem) => (problem.status, "application/problem+json", serde_json::to_vec(problem)),
    };
    let mut response = Response::new(Full::new(Bytes::from(json.expect("acks and problems can be written"))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    if status == ProblemType::Unavailable.status() {
        headers.insert(RETRY_AFTER, hyper::header::HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_of_any_kind_come_to_their_two_paths() {
        assert_eq!(kind_of("/v1/worker-heartbeat"), Some(Kind::WORKER));
        assert_eq!(kind_of("/v1/hive/heartbeat"), Some(Kind::HIVE));
        assert_eq!(kind_of("/v1/agent-heartbeat"), Kind::new("agent").ok());
        for path in ["/", "/v1/heartbeats", "/v1/workers", "/v1/a/b/heartbeat", "/v1/Worker-heartbeat"] {
            assert_eq!(kind_of(path), None, "{path}");
        }
    }
}
