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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(webhook: &mut Webhook) -> Option<(Option<String>, Value)> {
        let post = webhook.next(Duration::ZERO)?;
        Some((post.idempotency_key, serde_json::from_slice(&post.body).unwrap()))
    }

    #[test]
    fn each_alert_and_each_end_is_a_document_with_a_key_of_its_own() {
        let mut webhook = Webhook::new(Some("http://queen".to_owned()));
        let mut began = Notice::for_test(7, "a", None);
        began.replaces = Some(Notice::for_test(5, "a", None).alert);
        webhook.put(began, Duration::ZERO);
        webhook.put(Notice::for_test(7, "a", "2026-01-02T03:01:00.25Z".parse().ok()), Duration::ZERO);
        let mut document = json!({
            "key": "log-7",
            "status": "firing",
            "event": "log-7",
            "starts_at": "2026-01-02T03:00:00.000Z",
            "ends_at": null,
            "labels": {"alertname": "MemberFailed", "member": "a"},
            "annotations": {"summary": "worker a is failed"},
            "replaces": "log-5",
            "registry_url": "http://queen",
        });
        assert_eq!(sent(&mut webhook), Some((Some("log-7".to_owned()), document.clone())));
        document["key"] = "log-7.end".into();
        document["status"] = "resolved".into();
        document["ends_at"] = "2026-01-02T03:01:00.250Z".into();
        document["replaces"] = Value::Null;
        assert_eq!(sent(&mut webhook), Some((Some("log-7.end".to_owned()), document)));
        assert_eq!((webhook.due(), sent(&mut webhook)), (None, None));
    }

    #[test]
    fn when_too_much_waits_the_oldest_goes_and_is_counted() {
        let mut webhook = Webhook::new(None);
        let lost: u64 = (1..=1_003).map(|n| webhook.put(Notice::for_test(n, "a", None), Duration::ZERO)).sum();
        assert_eq!((lost, webhook.waiting.len()), (3, MOST));
        assert_eq!(sent(&mut webhook).unwrap().0.unwrap(), "log-4");
        let lost = [End::Taken, End::GivenUp, End::Refused].map(|end| webhook.ended(end, Duration::ZERO));
        assert_eq!(lost, [0, 1, 1]);
    }
}
