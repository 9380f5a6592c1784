//! Lists, views, histories, explanations, statistics and events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::{Extension, Json};
use heartbeat_contract::{
    EventId, EventsPage, Explanation, HistoryPage, Kind, MemberId, MemberView, MembersPage, Problem, ProblemType, Stats,
};

use super::access::Right;
use super::api::{KindApi, Shared};
use super::respond::{Refusal, refuse};
use crate::history_query::HistoryQuery;
use crate::query::{InvalidQuery, MembersQuery};

const EVENTS_LIMIT: usize = 100;
const MAX_EVENTS_LIMIT: usize = 1000;

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

/// `GET /v1/events`.
pub(super) async fn events(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<EventsPage>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    let (since, limit) = events_query(query.as_deref().unwrap_or_default())?;
    let page = shared.fleet.events(since.as_ref(), limit);
    shared.fleet.durable(page.next.saturating_sub(1)).await;
    Ok(Json(page))
}

fn events_query(text: &str) -> Result<(Option<EventId>, usize), InvalidQuery> {
    let (mut since, mut limit) = (None, EVENTS_LIMIT);
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match &*name {
            "since" => since = Some(value.parse().map_err(|error| InvalidQuery::new("since", error))?),
            "limit" => {
                let within = value.parse().ok().filter(|limit| (1..=MAX_EVENTS_LIMIT).contains(limit));
                let refused =
                    || InvalidQuery::new("limit", format_args!("{value:?} is no number from 1 to {MAX_EVENTS_LIMIT}"));
                limit = within.ok_or_else(refused)?;
            }
            _ => return Err(InvalidQuery::new(&name, "unknown; known are since, limit")),
        }
    }
    Ok((since, limit))
}

/// Authenticates by the head; a body that came along is read and forgotten.
pub(super) async fn admit(shared: &Shared, request: Request<Body>, right: Right) -> Result<(), Refusal> {
    let (head, body) = request.into_parts();
    match shared.access.admit(&head, right) {
        Ok(_) => super::body::drain(body).await.or(Ok(())),
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
