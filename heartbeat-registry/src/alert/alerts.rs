//! What is to be told, to whom, and how often.

use std::time::Duration;

use heartbeat_contract::HealthState;

use super::Alert;
use super::callback::{Callback, Reply};
use crate::config::ConfigError;

/// The longest that one call may be given.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

/// What [`configure_alerts`](crate::Registry::configure_alerts) is to tell, and to whom.
///
/// A callback is a closure, or a closure that returns a future; it is called on a thread of the alerts, one call at a
/// time, in the order of the events. It can be as slow as it likes: it delays no verdict, no beat, and no alerts
/// configured elsewhere, only those after it. A future that has not ended after the [`timeout`](Self::timeout) is dropped;
/// a closure that blocks for ever blocks the alerts configured with it, and those alone. A panic is caught, counted and
/// logged, and the next alert comes as if nothing had happened. Futures are polled by a tokio runtime of that thread, and
/// need not be `Send`. An alert tells what was concluded, not how things stand by the time it is told: who acts on it may
/// want to ask [`health`](crate::Registry::health) first.
///
/// [`on_transition`](Self::on_transition) is told of every transition, a goodbye included. The others are filters over
/// it for whoever wants to act: none of them is told of a goodbye, nor of the first beat after one, and the
/// [`cooldown`](Self::cooldown) applies to them.
#[must_use = "alerts tell nothing until they are configured"]
#[derive(Debug)]
pub struct Alerts {
    pub(super) callbacks: Vec<(On, Callback)>,
    pub(super) cooldown: Duration,
    pub(super) timeout: Duration,
}

/// What a callback is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    EveryTransition,
    /// Transitions into a state that is worse than healthy.
    Worse(HealthState),
    Recovery,
}

impl On {
    pub(super) fn admits(self, alert: &Alert) -> bool {
        match self {
            Self::EveryTransition => true,
            Self::Worse(state) => alert.to == state,
            Self::Recovery => alert.is_recovery(),
        }
    }

    pub(super) fn is_filter(self) -> bool {
        self != Self::EveryTransition
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self { callbacks: Vec::new(), cooldown: Duration::from_mins(1), timeout: Duration::from_secs(30) }
    }
}

impl Alerts {
    /// Alerts that nobody is told of yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells of every transition of every member, whatever the cooldown.
    #[doc(alias = "alert_callback")]
    pub fn on_transition<R, const FUTURE: bool>(self, callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        self.on(On::EveryTransition, Callback::new(callback))
    }

    /// Tells of transitions into degraded.
    #[doc(alias = "degraded_callback")]
    pub fn on_degraded<R, const FUTURE: bool>(self, callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        self.on(On::Worse(HealthState::Degraded), Callback::new(callback))
    }

    /// Tells of transitions into critical.
    #[doc(alias = "critical_callback")]
    pub fn on_critical<R, const FUTURE: bool>(self, callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        self.on(On::Worse(HealthState::Critical), Callback::new(callback))
    }

    /// Tells of transitions into failed.
    #[doc(alias = "failed_callback")]
    pub fn on_failed<R, const FUTURE: bool>(self, callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        self.on(On::Worse(HealthState::Failed), Callback::new(callback))
    }

    /// Tells of members that are back to healthy from degraded, critical or failed.
    pub fn on_recovered<R, const FUTURE: bool>(self, callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        self.on(On::Recovery, Callback::new(callback))
    }

    /// For how long after an alert of a member into degraded, critical or failed another one of the same member into the
    /// same state is held back; 1 minute by default, zero for never. It counts by the times of the events, not of the
    /// calls, and from the last alert that was told. A member that is still in that state when the cooldown ends is told
    /// of then, as of when it happened; one that is not is not. A member that is forgotten begins anew.
    ///
    /// A recovery is told, cooldown or not, if any of the alerts since the member was last healthy was, and not told if
    /// none of them was, so that who was told of a failure is told of its end. That goes by the cooldown alone: an alert
    /// that no callback here asks for counts as told.
    #[doc(alias = "cooldown_seconds")]
    #[doc(alias = "ThrottledAlerts")]
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// After how long the future of a callback is dropped: 1 ms to 1 h, 30 s by default. It goes by this machine's clock,
    /// whatever clock the fleet has.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let millis = |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        let (value, min, max) = (millis(self.timeout), 1, millis(LONGEST_TIMEOUT));
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(ConfigError::OutOfRange { setting: "the timeout of alerts (ms)", value, min, max })
    }

    fn on(mut self, on: On, callback: Callback) -> Self {
        self.callbacks.push((on, callback));
        self
    }
}
