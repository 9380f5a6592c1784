//! The state of alerts as Alertmanager wants to hear it: those that last again and again, and each end once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::notice::{Lasting, Notice, Words};
use super::outbox::{End, Outbox, Post};
use super::webhook::millis;

/// How often an alert that lasts is sent again. Alertmanager takes one that it does not hear of for `resolve_timeout`, 5
/// minutes by default, as resolved.
const AGAIN: Duration = Duration::from_mins(1);
/// For how long an end is sent that is not taken. By then, Alertmanager has resolved it by itself.
const PATIENCE: Duration = Duration::from_mins(15);
/// How many alerts one request holds at most.
const MOST: usize = 500;
/// What is due this soon is sent along.
const SOON: Duration = Duration::from_secs(5);

/// All that Alertmanager is to know, by labels: two alerts with the same labels are the same to it.
pub(super) struct Alertmanager {
    registry_url: Option<String>,
    entries: BTreeMap<Words, Entry>,
    /// Nothing is due before. Kept, since it is asked for with every event.
    due: Option<Duration>,
    under_way: Vec<(Words, Option<Timestamp>)>,
}

struct Entry {
    alert: Arc<Lasting>,
    /// When it ended, and until when that is sent.
    ended: Option<(Timestamp, Duration)>,
    due: Duration,
}

/// An alert of its API, version 2. Without `endsAt` it lasts until Alertmanager's own clock says that it was not heard of
/// for too long, so that it does not matter how far ours is off.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    labels: &'a Words,
    annotations: &'a Words,
    starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
}

impl Alertmanager {
    pub(super) fn new(registry_url: Option<String>) -> Self {
        Self { registry_url, entries: BTreeMap::new(), due: None, under_way: Vec::new() }
    }

    fn keep(&mut self, alert: Arc<Lasting>, ended: Option<Timestamp>, now: Duration) {
        let ended = ended.map(|at| (at, now + PATIENCE));
        self.entries.insert(alert.labels.clone(), Entry { alert, ended, due: now });
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }
}

impl Outbox for Alertmanager {
    fn put(&mut self, Notice { alert, ended, replaces, .. }: Notice, now: Duration) -> u64 {
        if let Some(replaced) = replaces.filter(|replaced| replaced.labels != alert.labels) {
            let ended = alert.since.max(replaced.since);
            self.keep(replaced, Some(ended), now);
        }
        self.keep(alert, ended, now);
        0
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn next(&mut self, now: Duration) -> Option<Post> {
        if self.due? > now {
            return None;
        }
        let due = self.entries.iter_mut().filter(|(_, entry)| entry.due <= now + SOON).take(MOST);
        let mut sent = Vec::new();
        self.under_way.clear();
        for (labels, Entry { alert, ended, due }) in due {
            let ended = ended.map(|(at, _)| at);
            *due = now + AGAIN;
            self.under_way.push((labels.clone(), ended));
            sent.push(Sent {
                labels,
                annotations: &alert.annotations,
                starts_at: millis(alert.since),
                ends_at: ended.map(millis),
                generator_url: self.registry_url.as_deref(),
            });
        }
        let body = serde_json::to_vec(&sent).expect("texts can be written as JSON");
        let post = (!sent.is_empty()).then_some(Post { body, idempotency_key: None });
        self.due = self.entries.values().map(|entry| entry.due).min();
        post
    }

    /// An end that was taken need not be told again, unless the alert began and ended anew meanwhile.
    fn ended(&mut self, end: End, now: Duration) -> u64 {
        let mut lost = 0;
        for (labels, sent) in std::mem::take(&mut self.under_way) {
            let Some((at, until)) = self.entries.get(&labels).and_then(|entry| entry.ended) else { continue };
            let is_over = end != End::GivenUp || until <= now;
            if sent == Some(at) && is_over {
                self.entries.remove(&labels);
                lost += u64::from(end != End::Taken);
            }
        }
        if self.entries.is_empty() {
            self.due = None;
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn end() -> Option<Timestamp> {
        "2026-01-02T03:01:00Z".parse().ok()
    }

    impl Alertmanager {
        /// The alerts of the next request.
        fn sends(&mut self, now: Duration) -> Vec<Value> {
            let post = self.next(now);
            assert!(post.as_ref().is_none_or(|post| post.idempotency_key.is_none()));
            post.map_or_else(Vec::new, |post| serde_json::from_slice(&post.body).unwrap())
        }
    }

    fn one() -> Alertmanager {
        let mut manager = Alertmanager::new(Some("http://queen".to_owned()));
        manager.put(Notice::for_test(1, "a", None), START);
        manager
    }

    #[test]
    fn what_lasts_is_sent_at_once_and_the_same_again_each_minute() {
        let mut manager = one();
        let first = manager.sends(START);
        let alert = json!({
            "labels": {"alertname": "MemberFailed", "member": "a"},
            "annotations": {"summary": "worker a is failed"},
            "startsAt": "2026-01-02T03:00:00.000Z",
            "generatorURL": "http://queen",
        });
        assert_eq!(first, [alert]);
        for (minute, end) in [(1, End::Taken), (2, End::GivenUp), (3, End::Refused)] {
            assert_eq!(manager.ended(end, START), 0);
            let now = START + minute * AGAIN;
            assert_eq!(manager.due(), Some(now), "whatever became of the one before");
            assert_eq!(manager.sends(now.saturating_sub(Duration::from_millis(1))), [Value::Null; 0]);
            assert_eq!(manager.sends(now), first);
        }
    }

    #[test]
    fn an_end_is_sent_until_it_is_taken() {
        let mut manager = one();
        manager.sends(START);
        manager.ended(End::Taken, START);
        manager.put(Notice::for_test(1, "a", end()), START);
        let ended = manager.sends(START);
        assert_eq!(ended[0]["endsAt"], "2026-01-02T03:01:00.000Z");
        assert_eq!(manager.ended(End::GivenUp, START), 0);
        assert_eq!(manager.sends(START + AGAIN), ended);
        assert_eq!((manager.ended(End::Taken, START + AGAIN), manager.due()), (0, None));
    }

    #[test]
    fn an_end_that_is_never_taken_is_given_up_and_counted() {
        for (end_of_it, after) in [(End::GivenUp, PATIENCE), (End::Refused, Duration::ZERO)] {
            let mut manager = one();
            manager.put(Notice::for_test(1, "a", end()), START);
            manager.sends(START);
            assert_eq!((manager.ended(end_of_it, START + after), manager.due()), (1, None));
        }
    }

    #[test]
    fn what_begins_anew_while_its_end_is_under_way_goes_on() {
        let mut manager = one();
        manager.put(Notice::for_test(1, "a", end()), START);
        manager.sends(START);
        manager.put(Notice::for_test(9, "a", None), START);
        assert_eq!(manager.ended(End::Taken, START), 0);
        assert_eq!(manager.sends(START)[0].get("endsAt"), None);
    }

    #[test]
    fn what_ends_while_its_beginning_is_under_way_is_told_to_have_ended() {
        let mut manager = one();
        manager.sends(START);
        manager.put(Notice::for_test(1, "a", end()), START);
        assert_eq!(manager.ended(End::Taken, START), 0);
        assert_eq!(manager.sends(START)[0]["endsAt"], "2026-01-02T03:01:00.000Z");
    }

    #[test]
    fn what_is_replaced_ends_when_the_other_begins() {
        let mut manager = one();
        let mut worse = Notice::for_test(2, "b", None);
        worse.replaces = Some(Notice::for_test(1, "a", None).alert);
        manager.put(worse, START);
        let sent = manager.sends(START);
        let ends: Vec<_> = sent.iter().map(|alert| (&alert["labels"]["member"], alert.get("endsAt"))).collect();
        assert_eq!(ends, [(&json!("a"), Some(&json!("2026-01-02T03:00:00.000Z"))), (&json!("b"), None)]);
    }

    #[test]
    fn a_request_holds_a_bounded_number_of_alerts() {
        let mut manager = Alertmanager::new(None);
        for n in 0..1_200 {
            manager.put(Notice::for_test(n, &format!("w{n}"), None), START);
        }
        let sizes = [(); 4].map(|()| manager.sends(START).len());
        assert_eq!(sizes, [500, 500, 200, 0]);
    }
}
