//! From events to calls.

use std::sync::{Arc, Weak};
use std::time::Duration;

use heartbeat_contract::{Event, EventBody, Kind};
use jiff::Timestamp;

use super::alerts::On;
use super::callback::{Callback, Ended};
use super::cooldown::Cooldown;
use super::handle::Counts;
use super::{Alert, Alerts};
use crate::engine::Engine;
use crate::subscription::{Events, SubscriptionError};

/// The shortest that is waited.
const SOON: Duration = Duration::from_millis(1);

/// Tells callbacks what the log says, one call at a time.
pub(super) struct Teller {
    events: Events,
    /// Of which kind; `None` is all.
    kind: Option<Kind>,
    callbacks: Vec<(On, Callback)>,
    timeout: Duration,
    cooldown: Cooldown<Alert>,
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
            let heard = tokio::select! {
                biased;
                heard = self.events.next() => Some(heard),
                () = until(&self.engine, self.cooldown.due()) => None,
            };
            match heard {
                Some(Ok(event)) => self.hear(event).await,
                Some(Err(SubscriptionError::Missed(events))) => self.miss(events),
                Some(Err(SubscriptionError::Reset { .. })) => unreachable!("alerts follow from the newest event on"),
                Some(Err(SubscriptionError::Closed)) => return,
                None => self.tell_due().await,
            }
            // Callbacks that never wait would keep whoever wants to end this from being heard.
            tokio::task::yield_now().await;
        }
    }

    async fn hear(&mut self, mut event: Event) {
        self.tell_what_was_held_back(event.at).await;
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
        let is_hot = !self.cooldown.admits(kind, member, *to, *at, || alert.clone());
        if is_hot && self.callbacks.iter().any(|(on, _)| on.is_filter() && on.admits(&alert)) {
            self.counts.suppressed();
        }
        self.call(&alert, |on| !is_hot || !on.is_filter()).await;
    }

    /// Tells of what the cooldown held back, if its time has come.
    async fn tell_due(&mut self) {
        let Some(now) = self.engine.upgrade().map(|engine| engine.wall()) else { return };
        self.tell_what_was_held_back(now).await;
    }

    async fn tell_what_was_held_back(&mut self, now: Timestamp) {
        for alert in self.cooldown.take_due(now) {
            self.call(&alert, On::is_filter).await;
        }
    }

    /// Calls the callbacks that ask for an alert, of those that are to be told.
    async fn call(&mut self, alert: &Alert, are_told: impl Fn(On) -> bool) {
        for (on, callback) in &mut self.callbacks {
            if !on.admits(alert) || !are_told(*on) {
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
        self.cooldown.keep(|kind, member| engine.sighting(kind, member).map(|sighting| sighting.state));
    }
}

/// Waits until the wall clock of the fleet shows a time, or for ever without one. A clock that stands still is looked at
/// again each time that it should have got there.
pub(super) async fn until(engine: &Weak<Engine>, at: Option<Timestamp>) {
    let Some(at) = at else { return std::future::pending().await };
    loop {
        let Some(now) = engine.upgrade().map(|engine| engine.wall()) else { return std::future::pending().await };
        match Duration::try_from(at.duration_since(now)) {
            Ok(ahead) if !ahead.is_zero() => tokio::time::sleep(ahead.max(SOON)).await,
            _ => return,
        }
    }
}
