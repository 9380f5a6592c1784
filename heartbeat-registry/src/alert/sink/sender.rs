//! From events to requests, one at a time.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use heartbeat_contract::{Event, SinkStats};

use super::book::{Book, Who};
use super::notice::Notice;
use super::outbox::{End, Outbox, Post};
use super::post::Poster;
use super::stats::Counts;
use crate::alert::teller::until;
use crate::clock::{Clock, SystemClock};
use crate::engine::Engine;
use crate::subscription::{Events, SubscriptionError};

/// Reads the log, keeps the book, and sends what is to be told.
pub(super) struct Sender {
    pub(super) events: Events,
    pub(super) book: Book,
    pub(super) outbox: Box<dyn Outbox>,
    pub(super) poster: Arc<Poster>,
    pub(super) counts: Arc<Counts>,
    /// Weak, so that alerts alone keep no fleet alive.
    pub(super) engine: Weak<Engine>,
    /// Paces requests, whatever clock the fleet has.
    pub(super) clock: SystemClock,
    /// Whether the last request was taken.
    pub(super) is_reachable: bool,
}

type Sending = Option<Pin<Box<dyn Future<Output = End> + Send>>>;

/// What happens next.
enum Next {
    Ended(End),
    Heard(Result<Event, SubscriptionError>),
    /// Something of the book is due.
    Due,
    /// Something is to be sent.
    Send,
}

impl Sender {
    /// Sends until the log is closed and all that is due then was sent.
    pub(super) async fn send_all(mut self) {
        let (mut sending, mut is_closed) = (None, false);
        loop {
            if sending.is_none() {
                sending = self.outbox.next(self.clock.monotonic()).map(|post| self.start(post));
            }
            if is_closed && sending.is_none() {
                return;
            }
            match self.next(&mut sending, is_closed).await {
                Next::Ended(end) => {
                    sending = None;
                    self.ended(end);
                }
                Next::Heard(Ok(event)) => self.hear(&event),
                Next::Heard(Err(SubscriptionError::Missed(events))) => self.miss(events),
                Next::Heard(Err(SubscriptionError::Reset { .. })) => {
                    unreachable!("alerts follow from the newest event on")
                }
                Next::Heard(Err(SubscriptionError::Closed)) => is_closed = true,
                Next::Due => self.tick(),
                Next::Send => {}
            }
            // A log that always has another event would keep connections, and whoever wants to end this, waiting.
            tokio::task::yield_now().await;
        }
    }

    async fn next(&mut self, sending: &mut Sending, is_closed: bool) -> Next {
        let is_idle = sending.is_none();
        let ended = async {
            match sending {
                Some(sending) => sending.await,
                None => std::future::pending().await,
            }
        };
        let wait = self.outbox.due().map(|due| due.saturating_sub(self.clock.monotonic()));
        tokio::select! {
            biased;
            end = ended => Next::Ended(end),
            heard = self.events.next(), if !is_closed => Next::Heard(heard),
            () = until(&self.engine, self.book.due()), if !is_closed => Next::Due,
            () = sleep(wait), if is_idle => Next::Send,
        }
    }

    fn start(&self, post: Post) -> Pin<Box<dyn Future<Output = End> + Send>> {
        let (poster, counts) = (Arc::clone(&self.poster), Arc::clone(&self.counts));
        Box::pin(async move { poster.send(&post, &counts).await })
    }

    fn ended(&mut self, end: End) {
        let was_reachable = std::mem::replace(&mut self.is_reachable, end == End::Taken);
        if was_reachable != self.is_reachable {
            let SinkStats { name, last_error, .. } = self.counts.read();
            match end {
                End::Taken => tracing::info!(sink = name, "alerts are taken again"),
                End::GivenUp | End::Refused => tracing::warn!(sink = name, last_error, "alerts are not taken"),
            }
        }
        let lost = self.outbox.ended(end, self.clock.monotonic());
        self.counts.change(|stats| stats.dropped += lost);
    }

    fn hear(&mut self, event: &Event) {
        let engine = self.engine.upgrade();
        let seen = engine.zip(event.kind.as_ref()).zip(event.member.as_ref());
        let seen = seen.and_then(|((engine, kind), member)| engine.sighting(kind, member));
        let told = self.book.hear(event, seen.as_ref());
        self.put(told);
    }

    fn tick(&mut self) {
        let Some(engine) = self.engine.upgrade() else { return };
        let told = self.book.tick(engine.wall());
        self.put(told);
    }

    /// What was kept is compared with how members are.
    fn miss(&mut self, events: u64) {
        let name = self.counts.read().name;
        tracing::warn!(sink = name, events, "events were dropped before alerts could be made of them");
        self.counts.change(|stats| stats.dropped += events);
        let Some(engine) = self.engine.upgrade() else { return };
        let state = |(kind, member): &Who| engine.sighting(kind, member).map(|seen| seen.state);
        let told = self.book.miss(engine.wall(), state);
        self.put(told);
    }

    fn put(&mut self, told: Vec<Notice>) {
        let now = self.clock.monotonic();
        let lost: u64 = told.into_iter().map(|notice| self.outbox.put(notice, now)).sum();
        let (muted, suppressed, firing) = (self.book.muted, self.book.suppressed, self.book.firing() as u64);
        self.counts.change(|stats| {
            stats.dropped += lost;
            (stats.muted, stats.suppressed, stats.firing) = (muted, suppressed, firing);
        });
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::SinkKind;

    use super::*;
    use crate::alert::sink::SinkConfig;
    use crate::alert::sink::rule::Rule;
    use crate::alert::sink::webhook::Webhook;
    use crate::clock::ManualClock;
    use crate::config::FleetConfig;
    use crate::fleet::Fleet;
    use crate::registry::WorkerRegistry;

    #[tokio::test]
    async fn events_that_were_dropped_before_they_were_read_are_counted() {
        let config = FleetConfig { events_kept: 4, ..FleetConfig::default() };
        let fleet = Fleet::new(config, ManualClock::new(jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let engine = Arc::downgrade(&fleet.engine);
        let counts = Arc::new(Counts::new("slow".to_owned(), SinkKind::Webhook, engine.clone()));
        let sink = SinkConfig::webhook("http://127.0.0.1:1");
        let sender = Sender {
            events: fleet.subscribe(),
            book: Book::new(Rule::default(), Duration::ZERO),
            outbox: Box::new(Webhook::new(None)),
            poster: Arc::new(Poster::new(&sink, sink.envelope().unwrap()).unwrap()),
            counts: Arc::clone(&counts),
            engine,
            clock: SystemClock::new(),
            is_reachable: true,
        };
        for n in 0..20 {
            let id = heartbeat_contract::MemberId::new(format!("w{n}")).unwrap();
            WorkerRegistry::new(&fleet).record(heartbeat_contract::WorkerHeartbeat::new(id)).unwrap();
        }
        fleet.engine.log.close();
        sender.send_all().await;
        assert_eq!(counts.read().dropped, 16);
    }
}
