//! From events to calls.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use heartbeat_contract::{Event, EventBody, Kind, MemberId};

use super::alerts::On;
use super::callback::{Callback, Ended};
use super::cooldown::Cooldown;
use super::handle::Counts;
use super::{Alert, Alerts};
use crate::engine::Engine;
use crate::subscription::{Events, SubscriptionError};

/// Tells callbacks what the log says, one call at a time.
pub(super) struct Teller {
    events: Events,
    /// Of which kind; `None` is all.
    kind: Option<Kind>,
    callbacks: Vec<(On, Callback)>,
    timeout: Duration,
    cooldown: Cooldown,
    counts: Arc<Counts>,
    /// Weak, so that alerts alone keep no fleet alive.
    engine: Weak<Engine>,
}

impl Teller {
    pub(super) fn new(engine: &Arc<Engine>, kind: Option<Kind>, alerts: Alerts, counts: Arc<Counts>) -> Self {
        let Alerts { callbacks, cooldown, timeout } = alerts;
        Self {
            events: Events::new(Arc::clone(&engine.log)),
            kind,
            callbacks,
            timeout,
            cooldown: Cooldown::new(cooldown),
            counts,
            engine: Arc::downgrade(engine),
        }
    }

    /// Tells of all that happens, until the log is closed and read to its end.
    pub(super) async fn tell_all(&mut self) {
        loop {
            match self.events.next().await {
                Ok(event) => self.hear(event).await,
                Err(SubscriptionError::Missed(events)) => self.miss(events),
                Err(SubscriptionError::Reset { .. }) => unreachable!("alerts follow from the newest event on"),
                Err(SubscriptionError::Closed) => return,
            }
            // Callbacks that never wait would keep whoever wants to end this from being heard.
            tokio::task::yield_now().await;
        }
    }

    async fn hear(&mut self, mut event: Event) {
        let (Some(kind), Some(member)) = (event.kind.take(), event.member.take()) else { return };
        if self.kind.as_ref().is_some_and(|only| *only != kind) {
            return;
        }
        if matches!(event.body, EventBody::Forgotten { .. }) {
            self.cooldown.forget(&kind, &member);
        } else if let Some(alert) = Alert::of(event, kind, member) {
            self.tell(alert).await;
        }
    }

    async fn tell(&mut self, alert: Alert) {
        let Alert { kind, member, to, at, .. } = &alert;
        let is_hot = !self.cooldown.admits(kind, member, *to, *at);
        let filters = self.callbacks.iter().filter(|(on, _)| on.is_filter());
        if is_hot && filters.clone().any(|(on, _)| on.admits(&alert)) {
            self.counts.suppressed();
        }
        for (on, callback) in &mut self.callbacks {
            if !on.admits(&alert) || (is_hot && on.is_filter()) {
                continue;
            }
            let ended = callback.call(alert.clone(), self.timeout).await;
            self.counts.ended(ended);
            if ended != Ended::Well {
                tracing::error!(event = %alert.event, member = %alert.member, ?ended, "a callback of alerts went wrong");
            }
        }
    }

    /// What was kept of members that may have been forgotten meanwhile is compared with those known.
    fn miss(&mut self, events: u64) {
        self.counts.missed(events);
        tracing::warn!(events, "callbacks of alerts are too slow: events were dropped before they could be told");
        let Some(engine) = self.engine.upgrade() else { return };
        self.cooldown.keep(|kind, member| engine.knows(kind, member));
    }
}

impl Engine {
    fn knows(&self, kind: &Kind, member: &MemberId) -> bool {
        let index = {
            let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
            kinds.all().find(|(_, known)| *known == kind).map(|(index, _)| index)
        };
        index.is_some_and(|index| {
            let key = self.key(index, member);
            self.table(key).find(key).is_some()
        })
    }
}
