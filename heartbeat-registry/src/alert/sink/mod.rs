//! Alerts that are sent elsewhere: to webhooks and to Alertmanagers.

mod alertmanager;
mod book;
mod config;
mod handle;
mod notice;
mod outbox;
mod pattern;
mod post;
mod rule;
mod sender;
mod stats;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;

use heartbeat_contract::SinkKind;

pub use config::{InvalidSink, SinkConfig};
pub use handle::SinkHandle;
pub use pattern::{IdPattern, InvalidPattern};
pub use rule::Rule;

use super::thread;
use crate::clock::SystemClock;
use crate::engine::Engine;
use crate::fleet::StartError;
use crate::subscription::Events;

/// Starts to send alerts on a thread of its own.
pub(crate) fn start(engine: &Arc<Engine>, config: SinkConfig) -> Result<SinkHandle, StartError> {
    let envelope = config.envelope()?;
    let poster = post::Poster::new(&config, envelope)?;
    let name = engine.alerts.free_name(&config.name());
    let SinkConfig { kind, rule, cooldown, registry_url, .. } = config;
    let outbox: Box<dyn outbox::Outbox> = match kind {
        SinkKind::Alertmanager => Box::new(alertmanager::Alertmanager::new(registry_url)),
        _ => Box::new(webhook::Webhook::new(registry_url)),
    };
    let counts = Arc::new(stats::Counts::new(name, kind, Arc::downgrade(engine)));
    let sender = sender::Sender {
        events: Events::new(Arc::clone(&engine.log)),
        book: book::Book::new(rule, cooldown),
        outbox,
        poster: Arc::new(poster),
        counts: Arc::clone(&counts),
        engine: Arc::downgrade(engine),
        clock: SystemClock::new(),
        is_reachable: true,
    };
    let running = thread::spawn(engine, move || sender.send_all())?;
    let handle = SinkHandle { counts, running };
    engine.alerts.add_sink(handle.clone());
    Ok(handle)
}
