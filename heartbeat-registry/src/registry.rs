//! The handle of one kind of members.

mod kept;
mod operate;

use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::sync::PoisonError;
use std::time::Duration;

use heartbeat_contract::{
    Directive, Explanation, HealthState, HistoryEntry, HistoryPage, HiveHeartbeat, MemberId, MemberStats, MemberView,
    MembersPage, Payload, WorkerHeartbeat, validate,
};
use jiff::Timestamp;

use self::kept::{Kept, keep, reading};

use crate::alert::{self, Alerts, AlertsHandle};
use crate::config::FleetConfig;
use crate::core::{Hot, KindIndex, Now, Origin, Verdict};
use crate::engine::Engine;
use crate::error::{RecordError, UnknownMember};
use crate::fleet::{Fleet, StartError};
use crate::history::Beats;
use crate::lock::lock;
use crate::query::{InvalidQuery, MembersQuery};
use crate::subscription::Transitions;
use crate::view::member_stats;
use crate::weak::WeakRegistry;

/// The registry of workers.
pub type WorkerRegistry = Registry<WorkerHeartbeat>;
/// The registry of hives.
pub type HiveRegistry = Registry<HiveHeartbeat>;

/// Members of one kind: their payloads and their health. Cheap to clone.
///
/// ```
/// use heartbeat_registry::{FleetConfig, WorkerRegistry};
/// use heartbeat_registry::contract::{HealthState, MemberId, WorkerHeartbeat};
///
/// let workers = WorkerRegistry::start(FleetConfig::default())?;
/// let id = MemberId::new("worker-123")?;
/// workers.record(WorkerHeartbeat { queue_depth: Some(7), ..WorkerHeartbeat::new(id.clone()) })?;
/// assert_eq!(workers.health(&id)?, HealthState::Healthy);
/// assert_eq!(workers.online(), [id]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "HeartbeatMonitor")]
pub struct Registry<P> {
    fleet: Fleet,
    kind: KindIndex,
    payload: PhantomData<fn() -> P>,
}

/// What became of a beat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// What it was to its member.
    pub outcome: Outcome,
    /// The number of the newest event there was then: wait for [`Fleet::durable`] with it before telling anyone of an
    /// [`Outcome::Registered`].
    pub last_event: u64,
    /// When to send the next one.
    pub next_in: Duration,
    /// What is asked of the member.
    pub directives: Vec<Directive>,
}

/// What a beat was to its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its first.
    Registered,
    /// The next.
    Fresh,
    /// One that came before, or too late; it changed nothing.
    Duplicate,
    /// Its goodbye.
    Left,
}

impl<P: Payload> Registry<P> {
    /// The registry of this kind in a fleet. Two of them share their members.
    ///
    /// # Panics
    /// If the fleet knows the kind with payloads of another type, or 255 kinds already.
    #[must_use]
    pub fn new(fleet: &Fleet) -> Self {
        let known = fleet.engine.kinds.read().unwrap_or_else(PoisonError::into_inner).find(&P::KIND, TypeId::of::<P>());
        let kind = known.unwrap_or_else(|| {
            let mut kinds = fleet.engine.kinds.write().unwrap_or_else(PoisonError::into_inner);
            kinds.add(&P::KIND, TypeId::of::<P>(), reading::<P>())
        });
        Self { fleet: fleet.clone(), kind, payload: PhantomData }
    }

    /// A registry with a fleet of its own.
    ///
    /// # Errors
    /// If a setting is outside its limits, or the driver's thread cannot be started.
    pub fn start(config: FleetConfig) -> Result<Self, StartError> {
        Ok(Self::new(&Fleet::start(config)?))
    }

    /// The fleet this registry belongs to.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Takes a beat. Any valid beat of an unknown member registers it. Takes constant time, and allocates nothing for a
    /// member whose history is full.
    ///
    /// # Errors
    /// If the beat breaks the contract, is of a run that a newer one replaced, or there is no room for its member.
    #[doc(alias = "record_heartbeat")]
    #[doc(alias = "update_from_heartbeat")]
    #[doc(alias = "update_worker")]
    #[doc(alias = "update_hive")]
    pub fn record(&self, beat: P) -> Result<Recorded, RecordError> {
        if let Err(violations) = validate(&beat) {
            self.engine().count_refused();
            return Err(RecordError::Invalid(violations));
        }
        self.record_from(beat, Origin::Process)
    }

    /// Takes a beat that is known to be valid.
    pub(crate) fn record_from(&self, payload: P, origin: Origin) -> Result<Recorded, RecordError> {
        let taken = self.engine().record(self.kind, payload, origin, keep)?;
        let outcome = match taken.verdict {
            Verdict::Registered => Outcome::Registered,
            Verdict::Fresh => Outcome::Fresh,
            Verdict::Duplicate => Outcome::Duplicate,
            Verdict::Left => Outcome::Left,
        };
        Ok(Recorded { outcome, last_event: taken.last_event, next_in: taken.next_in, directives: taken.directives })
    }

    /// The health state of a member.
    ///
    /// # Errors
    /// If it is not known.
    #[doc(alias = "check_agent_health")]
    pub fn health(&self, id: &MemberId) -> Result<HealthState, UnknownMember> {
        let key = self.engine().key(self.kind, id);
        let table = self.engine().table(key);
        let slot = table.find(key).ok_or_else(|| UnknownMember { kind: P::KIND, id: id.clone() })?;
        Ok(table.get(slot).map_or(HealthState::Left, |(hot, _)| hot.state()))
    }

    /// All that is known of a member.
    ///
    /// # Errors
    /// If it is not known.
    pub fn view(&self, id: &MemberId) -> Result<MemberView, UnknownMember> {
        self.engine().view(self.kind, id).ok_or_else(|| UnknownMember { kind: P::KIND, id: id.clone() })
    }

    /// The newest beat of a member; `None` if it is not known or never beat.
    #[must_use]
    pub fn latest(&self, id: &MemberId) -> Option<P> {
        self.with_kept(id, |kept| kept.latest.clone())
    }

    /// The recent beats of a member, oldest first; empty if it is not known or never beat.
    #[must_use]
    #[doc(alias = "get_heartbeat_history")]
    pub fn history(&self, id: &MemberId) -> Vec<HistoryEntry> {
        self.with_kept(id, |kept| kept.history.between(..).beats).unwrap_or_default()
    }

    /// The recent beats of a member that came within a range of the registry's wall clock, oldest first, with the mean
    /// time between them and its jitter; no beats if it never beat.
    ///
    /// # Errors
    /// If it is not known.
    pub fn history_between(
        &self,
        id: &MemberId,
        range: impl RangeBounds<Timestamp>,
    ) -> Result<HistoryPage, UnknownMember> {
        let key = self.engine().key(self.kind, id);
        let table = self.engine().table(key);
        let known = table.find(key).and_then(|slot| table.get(slot));
        let (_, cold) = known.ok_or_else(|| UnknownMember { kind: P::KIND, id: id.clone() })?;
        let kept = cold.attachment.as_deref().and_then(|kept| kept.downcast_ref::<Kept<P>>());
        let beats = kept.map(|kept| kept.history.between(range));
        let (mean_interval_ms, jitter_ms) = beats.as_ref().and_then(Beats::interval_and_jitter).unzip();
        let beats = beats.map(|beats| beats.beats).unwrap_or_default();
        Ok(HistoryPage { kind: P::KIND, id: id.clone(), beats, mean_interval_ms, jitter_ms })
    }

    /// Why a member is in its state, by which rule, and what happens next and when.
    ///
    /// # Errors
    /// If it is not known.
    pub fn explain(&self, id: &MemberId) -> Result<Explanation, UnknownMember> {
        self.engine().explain(self.kind, id).ok_or_else(|| UnknownMember { kind: P::KIND, id: id.clone() })
    }

    /// Those neither failed nor left.
    #[must_use]
    #[doc(alias = "get_online_hives")]
    pub fn online(&self) -> Vec<MemberId> {
        self.ids(|hot, _| hot.state().is_online())
    }

    /// Those in a state or a worse one; never those that left.
    #[must_use]
    #[doc(alias = "get_unhealthy_agents")]
    pub fn unhealthy(&self, min: HealthState) -> Vec<MemberId> {
        self.ids(|hot, _| hot.state() >= min && hot.state() != HealthState::Left)
    }

    /// Those whose last beat is older than an age, whatever their state; what is credited does not count.
    #[must_use]
    #[doc(alias = "get_stale_workers")]
    pub fn stale(&self, age: Duration) -> Vec<MemberId> {
        self.ids(|hot, now| is_older(hot, age, now))
    }

    /// How many members there are, in which state.
    #[must_use]
    #[doc(alias = "get_monitoring_stats")]
    pub fn stats(&self) -> MemberStats {
        member_stats(self.engine().counts(self.kind))
    }

    /// Follows the transitions of this kind from now on.
    pub fn subscribe(&self) -> Transitions<P> {
        Transitions::new(self.fleet.subscribe())
    }

    /// Tells callbacks of the transitions of this kind from now on, on a thread of their own: see [`Alerts`] for what they
    /// may rely on. What is configured by several calls is independent of each other.
    ///
    /// Callbacks may use the registry as anybody else may. One that keeps a [`Registry`] or a [`Fleet`] keeps the fleet
    /// alive until the alerts are stopped or the fleet is shut down; one that keeps what [`downgrade`](Self::downgrade)
    /// gives does not.
    ///
    /// ```
    /// use heartbeat_registry::contract::{HealthState, MemberId, Policy, WorkerHeartbeat};
    /// use heartbeat_registry::{Alerts, FleetConfig, WorkerRegistry};
    ///
    /// let workers = WorkerRegistry::start(FleetConfig::default())?;
    /// let (failed, failures) = std::sync::mpsc::channel();
    /// let alerts = workers.configure_alerts(
    ///     Alerts::new()
    ///         .on_degraded(|alert| println!("{} is late: nothing for {:?}", alert.member, alert.age))
    ///         .on_failed(move |alert| failed.send(alert).expect("the main thread waits for it"))
    ///         .on_recovered(|alert| async move {
    ///             println!("{} is back from {}", alert.member, alert.from);
    ///         }),
    /// )?;
    /// let id = MemberId::new("worker-123")?;
    /// workers.start_monitoring(&id, Policy::every(std::time::Duration::from_millis(100)))?;
    /// workers.record(WorkerHeartbeat::new(id.clone()))?;
    /// let alert = failures.recv()?;
    /// assert_eq!((alert.member, alert.from, alert.to), (id, HealthState::Critical, HealthState::Failed));
    /// assert_eq!(alerts.stats().panicked, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting is outside its limits, or the thread cannot be started.
    pub fn configure_alerts(&self, alerts: Alerts) -> Result<AlertsHandle, StartError> {
        alert::start(&self.fleet.engine, Some(P::KIND), alerts)
    }

    /// A handle that does not keep the fleet alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakRegistry<P> {
        WeakRegistry::new(self.fleet.downgrade())
    }

    /// Shuts the fleet down, with all its registries: see [`Fleet::shutdown`].
    pub async fn shutdown(&self) {
        self.fleet.shutdown().await;
    }

    /// One page of views.
    ///
    /// # Errors
    /// If the limit is out of range, or the cursor was not given by this registry.
    pub fn page(&self, query: &MembersQuery) -> Result<MembersPage, InvalidQuery> {
        self.engine().page(self.kind, query)
    }

    fn engine(&self) -> &Engine {
        &self.fleet.engine
    }

    fn with_kept<T>(&self, id: &MemberId, read: impl FnOnce(&Kept<P>) -> T) -> Option<T> {
        let key = self.engine().key(self.kind, id);
        let table = self.engine().table(key);
        let (_, cold) = table.get(table.find(key)?)?;
        cold.attachment.as_deref()?.downcast_ref().map(read)
    }

    fn ids(&self, which: impl Fn(&Hot, &Now) -> bool) -> Vec<MemberId> {
        let now = self.engine().now();
        let mut ids = Vec::new();
        for table in self.engine().shards() {
            let table = lock(table);
            let members = table.iter_from(0).filter(|(_, hot, cold)| cold.kind == self.kind && which(hot, &now));
            ids.extend(members.map(|(_, _, cold)| cold.id.clone()));
        }
        ids
    }
}

impl<P> Clone for Registry<P> {
    fn clone(&self) -> Self {
        Self { fleet: self.fleet.clone(), kind: self.kind, payload: PhantomData }
    }
}

impl<P: Payload> std::fmt::Debug for Registry<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("kind", &P::KIND).field("members", &self.stats()).finish_non_exhaustive()
    }
}

fn is_older(hot: &Hot, age: Duration, now: &Now) -> bool {
    u128::from(hot.age(now)) > age.as_micros()
}
