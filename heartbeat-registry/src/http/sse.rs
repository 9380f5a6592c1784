//! The event log as server-sent events, for as long as its reader may look.

use std::convert::Infallible;
use std::hash::BuildHasher;
use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use heartbeat_contract::{Event, EventId, EventsLagged, EventsReset};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::access::Principal;
use crate::subscription::{Events, SubscriptionError};

/// How often a quiet stream looks whether its reader may still look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many looks without an event a comment is sent, so that a dead link is noticed on either side.
const LOOKS_UNTIL_COMMENT: u32 = 15;
/// After how many milliseconds a reader is to reconnect, at least and at most: those of a registry that restarts must
/// not come back all at once.
const RETRY_MS: Range<u64> = 1_000..3_000;
/// After how many seconds a stream ends, at least and at most. Nobody can tell a reader of a quiet fleet from one that
/// holds its place and never reads; one that resumes has lost nothing.
const LIFE_S: Range<u64> = 54 * 60..66 * 60;

/// One reader's stream. It holds no event that is not sent yet: the reader's own pace says when the log is read next.
pub(super) struct EventStream {
    events: Events,
    who: Principal,
    stop: CancellationToken,
    phase: Phase,
    _slot: OwnedSemaphorePermit,
}

/// How far a stream has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    Ended,
}

impl EventStream {
    /// Ends when the log does, when its reader lags, when `stop` is cancelled, or after about an hour.
    pub(super) fn new(events: Events, who: Principal, stop: CancellationToken, slot: OwnedSemaphorePermit) -> Self {
        Self { events, who, stop, phase: Phase::Opening, _slot: slot }
    }

    /// What to write next, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        match self.phase {
            Phase::Opening => {
                self.phase = Phase::Open;
                Some(opening(&self.events.position()))
            }
            Phase::Open => {
                let stop = self.stop.clone();
                tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    text = self.next_while_open() => text,
                }
            }
            Phase::Ended => None,
        }
    }

    async fn next_while_open(&mut self) -> Option<String> {
        for _ in 0..LOOKS_UNTIL_COMMENT {
            if !self.who.is_still_valid() {
                return None;
            }
            if let Ok(next) = tokio::time::timeout(LOOK_EVERY, self.events.next()).await {
                return self.told(next);
            }
        }
        Some(":\n\n".to_owned())
    }

    fn told(&mut self, next: Result<Event, SubscriptionError>) -> Option<String> {
        let here = self.events.position();
        let log = || here.log.clone().expect("a position that was told is one in a log");
        match next {
            Ok(event) => Some(frame(Some(&event.id), event.body.type_word(), &event)),
            Err(SubscriptionError::Reset { oldest, next }) => {
                Some(frame(Some(&here), "reset", &EventsReset { log: log(), oldest, next }))
            }
            Err(SubscriptionError::Missed(missed)) => {
                self.phase = Phase::Ended;
                // Without an id: a reader that goes on after its last event is told again, by a reset.
                Some(frame(None, "lagged", &EventsLagged { log: log(), missed, oldest: here.n + 1 }))
            }
            Err(SubscriptionError::Closed) => None,
        }
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let texts = stream::unfold(self, async |mut stream| {
            let text = stream.next().await?;
            Some((Ok::<_, Infallible>(text), stream))
        });
        let texts = texts.take_until(tokio::time::sleep(Duration::from_secs(random(LIFE_S))));
        let headers = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-store"),
            // nginx would keep events back until it has a page of them.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        (headers, Body::from_stream(texts)).into_response()
    }
}

/// Without data, this is no event to a reader, but it knows from then on where to go on, even if nothing else comes.
fn opening(position: &EventId) -> String {
    let retry = random(RETRY_MS);
    format!("retry: {retry}\nid: {position}\n\n")
}

fn random(range: Range<u64>) -> u64 {
    range.start + std::hash::RandomState::new().hash_one(()) % (range.end - range.start)
}

fn frame(id: Option<&EventId>, event: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("events are made of numbers, words and texts");
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {event}\ndata: {data}\n\n")
}
