//! What is known of the way beats come in, and how much of the recent past the registry could not listen.

use std::sync::{Arc, Mutex};

use heartbeat_contract::{BlindStats, CanaryState, EventBody};
use tokio::sync::Notify;

use super::Engine;
use crate::core::{Now, TOLERANCE, WINDOW};
use crate::lock::lock;

/// How canaries fare.
#[derive(Debug, Default)]
pub(crate) struct Ingest {
    /// Wakes whoever sends canaries, when members are monitored again.
    pub(crate) wanted: Arc<Notify>,
    pub(super) canary: Mutex<Canary>,
}

#[derive(Debug, Default)]
pub(super) struct Canary {
    pub(super) state: CanaryState,
    pub(super) error: Option<String>,
    /// When the one under way was sent, in microseconds of the monotonic clock.
    pub(super) sent: Option<u64>,
    /// How long the last one took, in microseconds.
    pub(super) lag: Option<u64>,
}

impl Canary {
    fn waits_since(&self, mono: u64) -> Option<u64> {
        self.sent.map(|sent| mono.saturating_sub(sent))
    }
}

impl Engine {
    /// Looks at how much was credited lately; tells if it became too much or is over. Returns whether it is too much.
    pub(super) fn look_at_blindness(&self, credited: u64, now: &Now) -> bool {
        let (turn, is_too_much) = {
            let mut blindness = lock(&self.blindness);
            (blindness.look(now.mono, credited), blindness.is_too_much())
        };
        if let Some(turn) = turn {
            let (active, credited_ms, window_ms) = (turn.is_too_much, turn.credited / 1000, WINDOW / 1000);
            self.tell_of_the_fleet([EventBody::RegistryBlind { credited_ms, window_ms, active }], now);
            if active {
                tracing::warn!(
                    credited_ms,
                    window_ms,
                    "the registry could not listen for more than a fifth of the time"
                );
            } else {
                tracing::info!(credited_ms, window_ms, "the registry listens again");
            }
        }
        is_too_much
    }

    pub(crate) fn blind_stats(&self, mono: u64) -> BlindStats {
        let (credited, longest_lag, active) = {
            let mut blindness = lock(&self.blindness);
            blindness.pass(mono);
            (blindness.credited(), blindness.longest_lag(), blindness.is_too_much())
        };
        let canary = lock(&self.ingest.canary);
        let waits = canary.waits_since(mono);
        let is_late = canary.state == CanaryState::Ok && waits.is_some_and(|waits| waits > TOLERANCE);
        let waits = waits.filter(|_| is_late);
        let millis = |micros: Option<u64>| micros.map(|micros| micros / 1000);
        BlindStats {
            active,
            credited_ms: credited / 1000,
            window_ms: WINDOW / 1000,
            share: (credited as f64 / WINDOW as f64).min(1.0),
            ingest_lag_ms: millis(canary.lag.max(waits)),
            ingest_lag_max_ms: millis(longest_lag.max(waits)),
            canary: if is_late { CanaryState::Late } else { canary.state },
            canary_error: canary.error.clone(),
        }
    }
}
