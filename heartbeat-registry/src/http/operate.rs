//! What operators change: policies, directives, and who is known.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use heartbeat_contract::{
    AskedDirective, DecodeError, DirectiveRequest, MAX_BEAT_BYTES, MemberId, Policy, Problem, ProblemType,
    ResolvedPolicy, Violations,
};

use super::access::Right;
use super::api::{KindApi, Shared};
use super::beats::receive;
use super::reads::{admit, known_id, unknown};
use super::respond::Refusal;

/// `PUT /v1/workers/{id}/policy` and its like.
pub(super) async fn set_policy(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<ResolvedPolicy>, Refusal> {
    let json = order(&shared, request).await?;
    let policy = Policy::decode(&json).map_err(Problem::from)?;
    let (resolved, told) = kind.set_policy(&new_id(id)?, policy)?;
    shared.fleet.durable(told).await;
    Ok(Json(resolved))
}

/// `POST /v1/workers/{id}/directives` and its like.
pub(super) async fn ask(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<AskedDirective>, Refusal> {
    let DirectiveRequest { directive } = directive(&order(&shared, request).await?)?;
    let id = known_id(&kind.kind(), id)?;
    let (asked, told) = kind.ask(&id, directive)?;
    shared.fleet.durable(told).await;
    Ok(Json(asked))
}

/// `DELETE /v1/workers/{id}/directives` and its like.
pub(super) async fn withdraw(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let DirectiveRequest { directive } = directive(&order(&shared, request).await?)?;
    let id = known_id(&kind.kind(), id)?;
    let not_asked = || Problem::new(ProblemType::NotFound, format!("{id} is not asked for {directive}"));
    let told = kind.withdraw(&id, directive)?.ok_or_else(not_asked)?;
    shared.fleet.durable(told).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/workers/{id}` and its like.
pub(super) async fn forget(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    admit(&shared, request, Right::Operate).await?;
    let id = known_id(&kind.kind(), id)?;
    let told = kind.forget(&id).ok_or_else(|| unknown(&kind.kind(), id.as_str()))?;
    shared.fleet.durable(told).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Authenticates, then reads what is ordered.
async fn order(shared: &Shared, request: Request) -> Result<Bytes, Refusal> {
    receive(shared, request, Right::Operate, MAX_BEAT_BYTES).await.map(|(_, _, json)| json)
}

fn directive(json: &[u8]) -> Result<DirectiveRequest, Problem> {
    DirectiveRequest::decode(json).map_err(|error: DecodeError| error.into())
}

/// The id in a path, of a member that need not be known.
fn new_id(id: Result<Path<String>, PathRejection>) -> Result<MemberId, Problem> {
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    MemberId::new(&id).map_err(|error| {
        let mut violations = Violations::default();
        violations.add("", format_args!("the id in the path: {error}"));
        violations.into()
    })
}
