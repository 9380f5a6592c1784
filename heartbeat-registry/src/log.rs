//! The event log in memory: numbered without a gap, the oldest dropped.

use std::collections::VecDeque;
use std::sync::Mutex;

use heartbeat_contract::{Event, EventBody, EventId, EventStats, EventsPage, Kind, LogId, MemberId};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::lock::lock;

/// How far a log has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the newest event, 0 before the first.
    pub(crate) last: u64,
    /// Whether there will be no other.
    pub(crate) closed: bool,
}

/// An event before it has a number.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Option<Kind>,
    pub(crate) member: Option<MemberId>,
    pub(crate) incarnation: Option<u64>,
    pub(crate) body: EventBody,
}

/// Keeps the newest events.
#[derive(Debug)]
pub(crate) struct EventLog {
    id: LogId,
    capacity: usize,
    kept: Mutex<Kept>,
    head: watch::Sender<Head>,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Event>,
    /// The number that the next event will have.
    next: u64,
}

impl Kept {
    fn oldest(&self) -> u64 {
        self.events.front().map_or(self.next, |event| event.n)
    }
}

impl EventLog {
    pub(crate) fn new(id: LogId, capacity: usize) -> Self {
        let kept = Mutex::new(Kept { events: VecDeque::new(), next: 1 });
        Self { id, capacity, kept, head: watch::Sender::new(Head { last: 0, closed: false }) }
    }

    /// Numbers and keeps events, all at once; returns the number of the newest there is.
    pub(crate) fn append(&self, at: Timestamp, entries: impl IntoIterator<Item = Entry>) -> u64 {
        let mut kept = lock(&self.kept);
        for entry in entries {
            let n = kept.next;
            let id = EventId { log: Some(self.id.clone()), n };
            let Entry { kind, member, incarnation, body } = entry;
            if kept.events.len() == self.capacity {
                kept.events.pop_front();
            }
            kept.events.push_back(Event { id, n, at, kind, member, incarnation, body });
            kept.next += 1;
        }
        let last = kept.next - 1;
        // Under the lock, so that heads are published in order.
        self.head.send_if_modified(|head| std::mem::replace(&mut head.last, last) != last);
        last
    }

    /// Waits until the event with a number, and all before it, would survive a crash. Memory is as durable as it gets.
    #[expect(clippy::unused_async, reason = "a log on disk waits here")]
    pub(crate) async fn durable(&self, _n: u64) {}

    pub(crate) fn id(&self) -> &LogId {
        &self.id
    }

    pub(crate) fn last(&self) -> u64 {
        self.head.borrow().last
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    pub(crate) fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }

    pub(crate) fn stats(&self) -> EventStats {
        let kept = lock(&self.kept);
        EventStats { log: self.id.clone(), oldest: kept.oldest(), next: kept.next }
    }

    /// The events after a number, oldest first; without one, from the oldest that is kept.
    pub(crate) fn page(&self, since: Option<&EventId>, limit: usize) -> EventsPage {
        let kept = lock(&self.kept);
        let oldest = kept.oldest();
        let from = since.map_or(Some(oldest), |since| self.following(&kept, since));
        let reset = from.is_none();
        let from = from.unwrap_or(oldest);
        let skip = usize::try_from(from - oldest).unwrap_or(usize::MAX);
        let events = kept.events.iter().skip(skip).take(limit).cloned().collect();
        EventsPage { log: self.id.clone(), oldest, next: kept.next, reset, events }
    }

    /// The number after one, unless that is of another log, no longer kept or not yet given.
    pub(crate) fn after(&self, since: &EventId) -> Option<u64> {
        self.following(&lock(&self.kept), since)
    }

    fn following(&self, kept: &Kept, since: &EventId) -> Option<u64> {
        let foreign = since.log.as_ref().is_some_and(|log| *log != self.id);
        let from = since.n.saturating_add(1);
        (!foreign && (kept.oldest()..=kept.next).contains(&from)).then_some(from)
    }

    /// The event with a number, or the oldest number kept if it is gone.
    pub(crate) fn get(&self, n: u64) -> Result<Event, u64> {
        let kept = lock(&self.kept);
        let oldest = kept.oldest();
        let place = n.checked_sub(oldest).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| kept.events.get(place)).cloned().ok_or(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(events: usize, capacity: usize) -> EventLog {
        let log = EventLog::new(LogId::new("log1").unwrap(), capacity);
        for _ in 0..events {
            let entry = Entry { kind: None, member: None, incarnation: None, body: EventBody::Registered {} };
            log.append(Timestamp::UNIX_EPOCH, [entry]);
        }
        log
    }

    fn numbers(page: &EventsPage) -> Vec<u64> {
        page.events.iter().map(|event| event.n).collect()
    }

    fn since(text: &str) -> Option<EventId> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn numbers_have_no_gap_and_the_oldest_go_first() {
        let page = log_of(7, 5).page(None, 100);
        assert_eq!((page.oldest, page.next, page.reset), (3, 8, false));
        assert_eq!(numbers(&page), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn since_is_exclusive_and_takes_numbers_with_or_without_their_log() {
        let log = log_of(5, 100);
        assert_eq!(numbers(&log.page(since("3").as_ref(), 100)), [4, 5]);
        assert_eq!(numbers(&log.page(since("log1-3").as_ref(), 1)), [4]);
        assert_eq!(numbers(&log.page(since("5").as_ref(), 100)), [0_u64; 0]);
        assert!(!log.page(since("5").as_ref(), 100).reset);
    }

    #[test]
    fn whoever_may_have_missed_events_is_told() {
        let log = log_of(7, 5);
        assert!(!log.page(since("2").as_ref(), 100).reset);
        for missed in ["1", "other-4", "8"] {
            let page = log.page(since(missed).as_ref(), 100);
            assert!(page.reset, "since {missed}");
            assert_eq!(numbers(&page), [3, 4, 5, 6, 7]);
        }
    }

    #[test]
    fn a_log_before_its_first_event_is_an_empty_page() {
        let page = log_of(0, 5).page(since("0").as_ref(), 100);
        assert_eq!((page.oldest, page.next, page.reset, page.events.len()), (1, 1, false, 0));
    }
}
