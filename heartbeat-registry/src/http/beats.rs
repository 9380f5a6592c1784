//! Taking beats.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::{Extension, Json};
use bytes::Bytes;
use heartbeat_contract::{
    Ack, Batch, BatchAck, BatchAnswer, MAX_BATCH_BYTES, MAX_BEAT_BYTES, Problem, ProblemType, Rejected, Violations,
};
use serde_json::value::RawValue;

use super::access::{Principal, Right};
use super::api::{KindApi, Shared, origin};
use super::body;
use super::respond::{Refusal, refuse};
use crate::registry::{Outcome, Recorded};

/// `POST /v1/worker-heartbeat` and its like.
pub(super) async fn beat(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    request: Request,
) -> Result<Json<Ack>, Refusal> {
    let (head, who, json) = receive(&shared, request, Right::Beat, MAX_BEAT_BYTES).await?;
    let (_, recorded) = kind.take(&json, origin(&head), &who)?;
    if recorded.outcome == Outcome::Registered {
        shared.fleet.durable(recorded.last_event).await;
    }
    Ok(Json(Ack {
        acknowledged: true,
        server_time: shared.fleet.wall(),
        next_in_ms: next_in_ms(&recorded),
        directives: recorded.directives,
    }))
}

/// `POST /v1/heartbeats`.
pub(super) async fn batch(State(shared): State<Shared>, request: Request) -> Result<Json<BatchAnswer>, Refusal> {
    let (head, who, json) = receive(&shared, request, Right::Beat, MAX_BATCH_BYTES).await?;
    let batch = Batch::parse(&json).map_err(Problem::from)?;
    let kinds: BTreeMap<String, &Arc<dyn KindApi>> =
        shared.kinds.iter().map(|kind| (kind.kind().plural(), kind)).collect();
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    let mut registered = None;
    for (plural, items) in batch.arrays() {
        let Some(kind) = kinds.get(plural) else { continue };
        let Some(items) = items else { return Err(no_array(plural).into()) };
        for (index, item) in items.iter().enumerate() {
            match within_limit(item).and_then(|json| kind.take(json, origin(&head), &who)) {
                Ok((id, recorded)) => {
                    if recorded.outcome == Outcome::Registered {
                        registered = Some(recorded.last_event);
                    }
                    let next_in_ms = next_in_ms(&recorded);
                    accepted.push(BatchAck { kind: kind.kind(), id, next_in_ms, directives: recorded.directives });
                }
                Err(problem) => rejected.push(reject(kind.as_ref(), index, item, &problem)),
            }
        }
    }
    if let Some(last_event) = registered {
        shared.fleet.durable(last_event).await;
    }
    Ok(Json(answer(accepted, rejected, shared.fleet.wall())))
}

/// An item of a batch has the limit of a beat that comes alone.
fn within_limit(item: &RawValue) -> Result<&[u8], Problem> {
    let json = item.get().as_bytes();
    if json.len() > MAX_BEAT_BYTES {
        let detail = format!("the item has more than {MAX_BEAT_BYTES} bytes");
        return Err(Problem::new(ProblemType::TooLarge, detail));
    }
    Ok(json)
}

fn no_array(plural: &str) -> Problem {
    let mut violations = Violations::default();
    violations.add(format_args!("/{plural}"), "expected a list of beats");
    violations.into()
}

/// Authenticates by the head, then reads the body.
pub(super) async fn receive(
    shared: &Shared,
    request: Request,
    right: Right,
    limit: usize,
) -> Result<(Parts, Principal, Bytes), Refusal> {
    let (head, body) = request.into_parts();
    match check(shared, &head, right) {
        Ok(who) => Ok((head, who, body::read(body, limit).await?)),
        Err(problem) => Err(refuse(body, problem).await),
    }
}

fn check(shared: &Shared, head: &Parts, right: Right) -> Result<Principal, Problem> {
    let who = shared.access.admit(head, right)?;
    body::check_is_json(&head.headers)?;
    Ok(who)
}

fn next_in_ms(recorded: &Recorded) -> u64 {
    u64::try_from(recorded.next_in.as_millis()).unwrap_or(u64::MAX)
}

fn reject(kind: &dyn KindApi, index: usize, item: &RawValue, problem: &Problem) -> Rejected {
    Rejected {
        kind: kind.kind(),
        index: index as u64,
        id: kind.id_of(item),
        problem: problem.slug().to_owned(),
        detail: problem.detail.clone(),
        newest_incarnation: problem.newest_incarnation,
    }
}

/// Lists only those acks that say something of their own.
fn answer(mut accepted: Vec<BatchAck>, rejected: Vec<Rejected>, server_time: jiff::Timestamp) -> BatchAnswer {
    let count = accepted.len() as u64;
    let smallest = accepted.iter().map(|ack| ack.next_in_ms).min();
    let next_in_ms = smallest
        .unwrap_or_else(|| u64::try_from(heartbeat_contract::Policy::DEFAULT_INTERVAL.as_millis()).unwrap_or(u64::MAX));
    accepted.retain(|ack| !ack.directives.is_empty() || ack.next_in_ms != next_in_ms);
    BatchAnswer { accepted: count, rejected, acks: accepted, server_time, next_in_ms }
}
