//! The event log, page by page or as a stream.

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use heartbeat_contract::{EventId, EventsPage, InvalidEventId, Problem, ProblemType};
use tokio::sync::Semaphore;

use super::accept::prefers_event_stream;
use super::access::{Principal, Right};
use super::api::Shared;
use super::reads::admit;
use super::respond::Refusal;
use super::serve::Stopping;
use super::sse::EventStream;
use crate::query::InvalidQuery;

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// Where a browser says which event it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /v1/events`.
pub(super) async fn events(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    stopping: Option<Extension<Stopping>>,
    request: Request,
) -> Result<Response, Refusal> {
    let who = admit(&shared, request, Right::Read).await?;
    let query = EventsQuery::parse(query.as_deref().unwrap_or_default())?;
    let answer = if prefers_event_stream(&headers) {
        let since = since(&headers, query)?;
        stream(&shared, since.as_ref(), who, stopping)?.into_response()
    } else {
        Json(page(&shared, &query).await).into_response()
    };
    Ok(([(VARY, ACCEPT.as_str())], answer).into_response())
}

async fn page(shared: &Shared, query: &EventsQuery) -> EventsPage {
    let page = shared.fleet.events(query.since.as_ref(), query.limit.unwrap_or(LIMIT));
    shared.fleet.durable(page.next.saturating_sub(1)).await;
    page
}

fn stream(
    shared: &Shared,
    since: Option<&EventId>,
    who: Principal,
    stopping: Option<Extension<Stopping>>,
) -> Result<EventStream, Refusal> {
    let Ok(slot) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let detail = "as many streams of events are open as may be: read /v1/events?since= page by page, or come later";
        return Err(Problem::new(ProblemType::Overloaded, detail).into());
    };
    let events = match since {
        Some(since) => shared.fleet.subscribe_from(since),
        None => shared.fleet.subscribe(),
    };
    let stop = stopping.map(|Extension(Stopping(stop))| stop).unwrap_or_default();
    Ok(EventStream::new(events, who, stop, slot))
}

/// A browser that reconnects repeats the query it began with, and tells in a header how far it got.
fn since(headers: &HeaderMap, query: EventsQuery) -> Result<Option<EventId>, InvalidQuery> {
    if query.limit.is_some() {
        return Err(InvalidQuery::new("limit", "a stream has none"));
    }
    let Some(last) = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty()) else { return Ok(query.since) };
    let last: Result<EventId, InvalidEventId> = String::from_utf8_lossy(last.as_bytes()).parse();
    last.map(Some).map_err(|error| InvalidQuery::new(LAST_EVENT_ID.as_str(), error))
}

#[derive(Default)]
struct EventsQuery {
    since: Option<EventId>,
    limit: Option<usize>,
}

impl EventsQuery {
    fn parse(text: &str) -> Result<Self, InvalidQuery> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "since" => query.since = Some(value.parse().map_err(|error| InvalidQuery::new("since", error))?),
                "limit" => {
                    let within = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    let refused =
                        || InvalidQuery::new("limit", format_args!("{value:?} is no number from 1 to {MAX_LIMIT}"));
                    query.limit = Some(within.ok_or_else(refused)?);
                }
                _ => return Err(InvalidQuery::new(&name, "unknown; known are since, limit")),
            }
        }
        Ok(query)
    }
}

/// Room for as many streams at once as [`Api::max_streams`](super::Api::max_streams) says.
pub(super) fn room(streams: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS)))
}
