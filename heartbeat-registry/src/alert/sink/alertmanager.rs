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
        Self { registry_url, entries: BTreeMap::new(), under_way: Vec::new() }
    }

    fn end(&mut self, alert: &Arc<Lasting>, at: Timestamp, now: Duration) {
        let entry = Entry { alert: Arc::clone(alert), ended: Some((at, now + PATIENCE)), due: now };
        self.entries.insert(alert.labels.clone(), entry);
    }
}

impl Outbox for Alertmanager {
    fn put(&mut self, Notice { alert, ended, replaces, .. }: Notice, now: Duration) -> u64 {
        if let Some(replaced) = replaces.filter(|replaced| replaced.labels != alert.labels) {
            self.end(&replaced, alert.since.max(replaced.since), now);
        }
        match ended {
            Some(at) => self.end(&alert, at, now),
            None => {
                self.entries.insert(alert.labels.clone(), Entry { alert, ended: None, due: now });
            }
        }
        0
    }

    fn due(&self) -> Option<Duration> {
        self.entries.values().map(|entry| entry.due).min()
    }

    fn next(&mut self, now: Duration) -> Option<Post> {
        if self.due()? > now {
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
        Some(Post { body, idempotency_key: None })
    }

    /// An end that was taken need not be told again, unless the alert began and ended anew meanwhile.
    fn ended(&mut self, end: End, now: Duration) -> u64 {
        let mut lost = 0;
        for (labels, sent) in std::mem::take(&mut self.under_way) {
            let Some((at, until)) = self.entries.get(&labels).and_then(|entry| entry.ended) else { continue };
            let is_over = match end {
                End::Taken => true,
                End::Refused => true,
                End::GivenUp => until <= now,
            };
            if sent == Some(at) && is_over {
                self.entries.remove(&labels);
                lost += u64::from(end != End::Taken);
            }
        }
        lost
    }
}
