//! One JSON document per alert, and per end of one.

use std::collections::VecDeque;
use std::time::Duration;

use heartbeat_contract::EventId;
use jiff::Timestamp;
use serde::Serialize;

use super::notice::{Notice, Words};
use super::outbox::{End, Outbox, Post};

/// How much waits at most; beyond it, the oldest goes.
const MOST: usize = 1_000;

/// What waits to be sent to a webhook, oldest first.
pub(super) struct Webhook {
    registry_url: Option<String>,
    waiting: VecDeque<Notice>,
}

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    key: &'a str,
    status: &'a str,
    event: &'a EventId,
    starts_at: String,
    ends_at: Option<String>,
    labels: &'a Words,
    annotations: &'a Words,
    replaces: Option<&'a EventId>,
    registry_url: Option<&'a str>,
}

impl Webhook {
    pub(super) fn new(registry_url: Option<String>) -> Self {
        Self { registry_url, waiting: VecDeque::new() }
    }

    fn post(&self, Notice { key, alert, ended, replaces }: Notice) -> Post {
        let document = Document {
            key: &key,
            status: if ended.is_some() { "resolved" } else { "firing" },
            event: &alert.event,
            starts_at: millis(alert.since),
            ends_at: ended.map(millis),
            labels: &alert.labels,
            annotations: &alert.annotations,
            replaces: replaces.as_ref().map(|replaced| &replaced.event),
            registry_url: self.registry_url.as_deref(),
        };
        let body = serde_json::to_vec(&document).expect("texts can be written as JSON");
        Post { body, idempotency_key: Some(key) }
    }
}

pub(super) fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl Outbox for Webhook {
    fn put(&mut self, notice: Notice, _now: Duration) -> u64 {
        self.waiting.push_back(notice);
        if self.waiting.len() <= MOST {
            return 0;
        }
        self.waiting.pop_front();
        1
    }

    fn due(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(Duration::ZERO)
    }

    fn next(&mut self, _now: Duration) -> Option<Post> {
        let notice = self.waiting.pop_front()?;
        Some(self.post(notice))
    }

    fn ended(&mut self, end: End, _now: Duration) -> u64 {
        u64::from(end != End::Taken)
    }
}
