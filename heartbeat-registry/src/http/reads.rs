//! Lists, views, histories, explanations and statistics.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::{Extension, Json};
use heartbeat_contract::{
    Explanation, HistoryPage, Kind, MemberId, MemberView, MembersPage, Problem, ProblemType, Stats,
};

use super::access::{Principal, Right};
use super::api::{KindApi, Shared};
use super::respond::{Refusal, refuse};
use crate::history_query::HistoryQuery;
use crate::query::MembersQuery;

/// `GET /v1/workers` and its like.
pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<MembersPage>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    let query = MembersQuery::parse(query.as_deref().unwrap_or_default())?;
    Ok(Json(kind.page(&query)?))
}

/// `GET /v1/workers/{id}` and its like.
pub(super) async fn view(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<MemberView>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    let id = known_id(&kind.kind(), id)?;
    kind.view(&id).map(Json).ok_or_else(|| unknown(&kind.kind(), id.as_str()))
}

/// `GET /v1/workers/{id}/history` and its like.
pub(super) async fn history(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<HistoryPage>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    let id = known_id(&kind.kind(), id)?;
    let query = HistoryQuery::parse(query.as_deref().unwrap_or_default())?;
    Ok(Json(kind.history(&id, query.range(shared.fleet.wall()))?))
}

/// `GET /v1/workers/{id}/explain` and its like.
pub(super) async fn explain(
    State(shared): State<Shared>,
    Extension(kind): Extension<Arc<dyn KindApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Explanation>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    let id = known_id(&kind.kind(), id)?;
    Ok(Json(kind.explain(&id)?))
}

/// `GET /v1/stats`.
pub(super) async fn stats(State(shared): State<Shared>, request: Request) -> Result<Json<Stats>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    Ok(Json(shared.fleet.stats()))
}

/// Authenticates by the head; a body that came along is read and forgotten.
pub(super) async fn admit(shared: &Shared, request: Request<Body>, right: Right) -> Result<Principal, Refusal> {
    let (head, body) = request.into_parts();
    match shared.access.admit(&head, right) {
        Ok(who) => {
            // One that goes on for too long ends with its connection.
            super::body::drain(body).await.ok();
            Ok(who)
        }
        Err(problem) => Err(refuse(body, problem).await),
    }
}

/// The id in a path; a text that is no id is nobody's.
pub(super) fn known_id(kind: &Kind, id: Result<Path<String>, PathRejection>) -> Result<MemberId, Refusal> {
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    MemberId::new(&id).map_err(|_| unknown(kind, &id))
}

pub(super) fn unknown(kind: &Kind, id: &str) -> Refusal {
    Problem::new(ProblemType::NotFound, format!("no {kind} {id:?} is known")).into()
}
