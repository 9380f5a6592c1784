//! Counting what became of alerts that are sent.

use std::sync::{Mutex, Weak};

use heartbeat_contract::{SinkKind, SinkStats};

use crate::engine::Engine;
use crate::lock::lock;

pub(super) struct Counts {
    stats: Mutex<SinkStats>,
    /// For the time of day.
    engine: Weak<Engine>,
}

impl Counts {
    pub(super) fn new(name: String, kind: SinkKind, engine: Weak<Engine>) -> Self {
        let stats = SinkStats {
            name,
            kind,
            sent: 0,
            failed: 0,
            retried: 0,
            dropped: 0,
            muted: 0,
            suppressed: 0,
            firing: 0,
            last_error: None,
            last_ok: None,
        };
        Self { stats: Mutex::new(stats), engine }
    }

    pub(super) fn read(&self) -> SinkStats {
        lock(&self.stats).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SinkStats)) {
        change(&mut lock(&self.stats));
    }

    pub(super) fn taken(&self) {
        let now = self.engine.upgrade().map(|engine| engine.wall());
        self.change(|stats| {
            stats.sent += 1;
            stats.last_ok = now.or(stats.last_ok);
        });
    }

    pub(super) fn failed(&self, why: String) {
        self.change(|stats| {
            stats.failed += 1;
            stats.last_error = Some(why);
        });
    }

    pub(super) fn retried(&self) {
        self.change(|stats| stats.retried += 1);
    }
}
