//! What canaries do: they go the way that beats come, and tell by coming back how far behind the listener is.

use std::time::Duration;

use heartbeat_contract::CanaryState;

use super::Engine;
use super::ingest::Canary;
use crate::core::micros;
use crate::lock::lock;

/// How long after a canary the next one is sent, unless that one takes longer.
const PERIOD: Duration = Duration::from_millis(100);

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
