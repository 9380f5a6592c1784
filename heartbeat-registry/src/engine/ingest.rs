//! What is known of the way beats come in: by canaries, which go the same way and come back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartbeat_contract::{BlindStats, CanaryState, EventBody};
use tokio::sync::Notify;

use super::Engine;
use crate::core::{Now, TOLERANCE, WINDOW, micros};
use crate::lock::lock;

/// How long after a canary the next one is sent, unless that one takes longer.
#[cfg(feature = "http")]
const PERIOD: Duration = Duration::from_millis(100);

/// How canaries fare.
#[derive(Debug, Default)]
pub(crate) struct Ingest {
    /// Wakes whoever sends canaries, when members are monitored again.
    pub(crate) wanted: Arc<Notify>,
    canary: Mutex<Canary>,
}

#[derive(Debug, Default)]
struct Canary {
    state: CanaryState,
    error: Option<String>,
    /// When the one under way was sent, in microseconds of the monotonic clock.
    sent: Option<u64>,
    /// How long the last one took, in microseconds.
    lag: Option<u64>,
}

impl Canary {
    fn waits_since(&self, mono: u64) -> Option<u64> {
        self.sent.map(|sent| mono.saturating_sub(sent))
    }
}

#[cfg(feature = "http")]
impl Engine {
    /// Says that canaries are going to be sent; tells whether somebody else does so already.
    pub(crate) fn begin_canaries(&self) -> bool {
        let mut canary = lock(&self.ingest.canary);
        let is_first = canary.state == CanaryState::Off;
        if is_first {
            *canary = Canary { state: CanaryState::Ok, ..Canary::default() };
        }
        is_first
    }

    /// Says that none is sent any more.
    pub(crate) fn end_canaries(&self) {
        *lock(&self.ingest.canary) = Canary::default();
        self.expect_no_canary();
    }

    /// Whether anyone is monitored, so that canaries are needed.
    pub(crate) fn wants_canaries(&self) -> bool {
        lock(&self.virtual_clock).planned().is_some()
    }

    /// A canary is sent; returns when, by the monotonic clock.
    pub(crate) fn canary_sent(&self) -> Duration {
        let mut canary = lock(&self.ingest.canary);
        let mono = self.mono();
        canary.sent = Some(mono);
        if canary.state != CanaryState::Unusable {
            lock(&self.virtual_clock).canary_sent(mono);
        }
        Duration::from_micros(mono)
    }

    /// The canary sent at a time came back; returns when to send the next.
    pub(crate) fn canary_answered(&self, sent: Duration) -> Duration {
        let mono = self.mono();
        let lag = mono.saturating_sub(micros(sent));
        let next = mono.max(micros(sent + PERIOD));
        let before = {
            let mut canary = lock(&self.ingest.canary);
            (canary.sent, canary.lag, canary.error) = (None, Some(lag), None);
            std::mem::replace(&mut canary.state, CanaryState::Ok)
        };
        if before == CanaryState::Unusable {
            tracing::info!("canaries come back again: how far behind the listener is, is measured");
        }
        lock(&self.blindness).canary_took(mono, lag);
        if lock(&self.virtual_clock).canary_answered(mono, next) {
            self.nudge.notify_one();
        }
        Duration::from_micros(next)
    }

    /// No canary can be sent, for a reason that is no slowness: everyone is judged without them until one comes back.
    pub(crate) fn canaries_are_unusable(&self, why: String) {
        {
            let mut canary = lock(&self.ingest.canary);
            canary.sent = None;
            if canary.state != CanaryState::Unusable {
                tracing::warn!(
                    why,
                    "no canary comes back: how far behind the listener is, is unknown and not credited"
                );
            }
            (canary.state, canary.error) = (CanaryState::Unusable, Some(why));
        }
        self.expect_no_canary();
    }

    fn expect_no_canary(&self) {
        let mono = self.mono();
        if lock(&self.virtual_clock).no_canary(mono) {
            self.nudge.notify_one();
        }
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
