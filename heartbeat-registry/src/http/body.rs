//! Reading bodies within bounds.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use heartbeat_contract::{Problem, ProblemType};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::respond::Refusal;

/// How much of a refused body is read to keep its connection usable.
const DRAIN: usize = 2 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// More of a body is on its way than anyone wants to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooMuch;

/// Whether a body is said to be JSON.
pub(super) fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let told = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = told.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let told = told.map_or_else(|| "none".to_owned(), |told| format!("{told:?}"));
    let detail = format!("the content type must be application/json, not {told} (curl --json sets it)");
    Err(Problem::new(ProblemType::UnsupportedMediaType, detail))
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(PATIENCE, collect(body, limit)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", PATIENCE.as_secs());
            Err(Refusal::closing(Problem { status: 400, ..Problem::new(ProblemType::InvalidPayload, detail) }))
        }
    }
}

/// Reads a body to its end and forgets it.
pub(super) async fn drain(body: Body) -> Result<(), TooMuch> {
    match tokio::time::timeout(PATIENCE, drain_within(body, 0)).await {
        Ok(drained) => drained,
        Err(_) => Err(TooMuch),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut read = BytesMut::new();
    while let Some(chunk) = next(&mut body).await? {
        if read.len() + chunk.len() > limit {
            let detail = format!("the body has more than {limit} bytes");
            let problem = Problem::new(ProblemType::TooLarge, detail);
            return Err(match drain_within(body, read.len() + chunk.len()).await {
                Ok(()) => problem.into(),
                Err(TooMuch) => Refusal::closing(problem),
            });
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

async fn drain_within(mut body: Body, mut seen: usize) -> Result<(), TooMuch> {
    if body.size_hint().lower() > DRAIN as u64 {
        return Err(TooMuch);
    }
    while let Ok(Some(chunk)) = next(&mut body).await {
        seen += chunk.len();
        if seen > DRAIN {
            return Err(TooMuch);
        }
    }
    Ok(())
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            // Trailers say nothing here.
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
            Some(Err(error)) => {
                let detail = format!("the body broke off: {error}");
                let problem = Problem { status: 400, ..Problem::new(ProblemType::InvalidPayload, detail) };
                return Err(Refusal::closing(problem));
            }
        }
    }
}
