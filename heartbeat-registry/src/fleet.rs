//! The handle of a fleet.

use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{EventId, EventsPage, ProtectionView, ProtectionsPage, Stats};
use tokio_util::sync::CancellationToken;

use crate::alert::{self, Alerts, AlertsHandle};
use crate::clock::{Clock, SystemClock};
use crate::config::{ConfigError, FleetConfig};
use crate::core::Word;
use crate::driver::{self, DriverThread};
use crate::engine::Engine;
use crate::subscription::Events;
use crate::weak::WeakFleet;

/// All members of all kinds, with the clock they are judged by and the log of what happened to them. Cheap to clone;
/// typed handles to one kind are [`Registry`](crate::Registry)s.
#[derive(Clone)]
pub struct Fleet {
    pub(crate) engine: Arc<Engine>,
    pub(crate) driver: Option<Arc<DriverThread>>,
}

/// Why a fleet could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is outside its limits.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A thread, or its runtime, could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A setting of where alerts are sent makes no sense.
    #[cfg(feature = "alerts")]
    #[error(transparent)]
    Sink(#[from] alert::sink::InvalidSink),
}

impl Fleet {
    /// Starts a fleet that judges by this machine's clock, on a thread of its own. It ends with the last handle, or with
    /// [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// If a setting is outside its limits, or the thread cannot be started.
    pub fn start(config: FleetConfig) -> Result<Self, StartError> {
        let mut fleet = Self::new(config, SystemClock::new())?;
        let driver = DriverThread::start(Arc::clone(&fleet.engine)).map_err(StartError::Thread)?;
        fleet.driver = Some(Arc::new(driver));
        Ok(fleet)
    }

    /// A fleet with a clock of yours and no driver: either spawn [`drive`](Self::drive), or call [`sweep`](Self::sweep)
    /// by each [`next_wake`](Self::next_wake), as tests and simulations do.
    ///
    /// # Errors
    /// If a setting is outside its limits.
    pub fn new(config: FleetConfig, clock: impl Clock) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { engine: Arc::new(Engine::new(config, Box::new(clock))), driver: None })
    }

    /// Judges until the given future ends. Needs a tokio runtime with time, whose clock goes as the fleet's does.
    ///
    /// # Cancel safety
    /// Dropped, it judges nobody any more; another call goes on where it left off.
    pub async fn drive(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = shutdown => {}
            () = driver::drive(&self.engine, CancellationToken::new()) => {}
        }
    }

    /// Judges whoever is due, and returns the [`next_wake`](Self::next_wake). However late it is called, compared to the
    /// last one, is credited to every member: the registry could not have known.
    pub fn sweep(&self) -> Option<Duration> {
        self.engine.sweep()
    }

    /// By when to call [`sweep`](Self::sweep), on the fleet's monotonic clock; `None` while nobody is monitored.
    #[must_use]
    #[doc(alias = "check_interval_ms")]
    pub fn next_wake(&self) -> Option<Duration> {
        self.engine.next_wake()
    }

    /// Totals, rates, and how the fleet itself fares.
    #[must_use]
    #[doc(alias = "get_monitoring_stats")]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Where the guard holds members just now, since too many hosts fell silent at once.
    #[must_use]
    pub fn protections(&self) -> ProtectionsPage {
        self.engine.protections()
    }

    /// Ends a protection, of a zone or of `_all`, since its hosts are really lost: members of those that are still silent
    /// are judged at once, also where they are let go one after the other already. Returns what it was; `None` if there is
    /// none.
    pub fn confirm_protection(&self, zone: &str) -> Option<ProtectionView> {
        self.engine.end_protection(zone, Word::Confirm).map(|(ended, _)| ended)
    }

    /// Ends a protection as if its time were over: members of hosts that are still silent fail over the next minute.
    pub fn release_protection(&self, zone: &str) -> Option<ProtectionView> {
        self.engine.end_protection(zone, Word::Release).map(|(ended, _)| ended)
    }

    /// At most `limit` events after one, oldest first; without one, from the oldest kept.
    #[must_use]
    pub fn events(&self, since: Option<&EventId>, limit: usize) -> EventsPage {
        self.engine.log.page(since, limit)
    }

    /// Follows all events from now on.
    pub fn subscribe(&self) -> Events {
        Events::new(Arc::clone(&self.engine.log))
    }

    /// Tells of members of all kinds: as [`Registry::configure_alerts`](crate::Registry::configure_alerts) does of one.
    ///
    /// # Errors
    /// If a setting is outside its limits, or the thread cannot be started.
    pub fn configure_alerts(&self, alerts: Alerts) -> Result<AlertsHandle, StartError> {
        alert::start(&self.engine, None, alerts)
    }

    /// Sends alerts elsewhere: what lasts, and when it is over. A member that gets into a state that the
    /// [rule](crate::alerts::Rule) asks for is an alert until it leaves it, says goodbye or is forgotten; a goodbye is
    /// none. One failure is one alert: members that fail with their host are told of as one `HostDown`, and one that flaps
    /// as one `MemberFlapping`, at whose end it is told of if it is still down. A mass silence, a registry that cannot
    /// listen and two runs of one id (for 10 minutes) are alerts as well.
    ///
    /// Each sink reads the log on a thread of its own, with one request under way at a time: however slow it is, it delays
    /// no verdict and no other sink. What it is never told of is counted, in [`stats`](Self::stats).
    ///
    /// # Errors
    /// If a setting makes no sense, or the thread cannot be started.
    #[cfg(feature = "alerts")]
    pub fn send_alerts(&self, config: crate::alerts::SinkConfig) -> Result<crate::alerts::SinkHandle, StartError> {
        alert::sink::start(&self.engine, config)
    }

    /// A handle that does not keep the fleet alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakFleet {
        WeakFleet::new(&self.engine, self.driver.as_ref())
    }

    /// Follows all events after one: 0 is before the first. If the log cannot go on there, the first that is read is
    /// [`SubscriptionError::Reset`](crate::SubscriptionError::Reset), and then all that is kept.
    pub fn subscribe_from(&self, since: &EventId) -> Events {
        Events::since(Arc::clone(&self.engine.log), since)
    }

    /// Waits until the event with a number, and all before it, would survive a crash of the registry.
    pub async fn durable(&self, n: u64) {
        self.engine.log.durable(n).await;
    }

    #[cfg(feature = "http")]
    pub(crate) fn wall(&self) -> jiff::Timestamp {
        self.engine.wall()
    }

    /// Whether a driver judges.
    #[must_use]
    #[doc(alias = "monitoring_thread_alive")]
    pub fn is_driven(&self) -> bool {
        self.engine.gauges.is_alive()
    }

    /// Ends the driver, waits until it has ended, and lets subscriptions end once they have read what there is. Beats are
    /// still recorded, but nobody is judged any more. Alerts of what has happened are told for up to 5 s more, which this
    /// waits for; a callback that blocks for longer is left to itself.
    pub async fn shutdown(&self) {
        if let Some(driver) = &self.driver {
            driver.shutdown().await;
        }
        self.engine.log.close();
        self.engine.alerts.all_ended().await;
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("members", &self.stats().members).finish_non_exhaustive()
    }
}
