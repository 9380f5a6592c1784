//! The pure core under locks: one table per shard, one virtual clock, one event log.

#[cfg(feature = "http")]
mod canaries;
mod directives;
mod hosts;
mod ingest;
mod record;
mod room;
mod suspects;
mod sweep;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use foldhash::quality::FixedState;
use heartbeat_contract::{EventBody, ForgetReason, HealthState, Kind, LogId, MemberId, Policy, ResolvedPolicy};
use tokio::sync::Notify;

use self::ingest::Ingest;
use crate::alert::AlertThreads;
use crate::clock::Clock;
use crate::config::FleetConfig;
use crate::core::{Blindness, Defaults, Fact, Hosts, Key, KindIndex, Now, Table, Tally, VirtualClock, micros};
use crate::error::RecordError;
use crate::gauges::Gauges;
use crate::kinds::Kinds;
use crate::lock::lock;
use crate::log::{Entry, EventLog};

pub(crate) use suspects::Suspects;

const SHARDS: usize = 64;

/// All that a fleet's handles share.
pub(crate) struct Engine {
    clock: Box<dyn Clock>,
    virtual_clock: Mutex<VirtualClock>,
    shards: Box<[Mutex<Table>]>,
    /// Never locked before a shard.
    hosts: Mutex<Hosts>,
    pub(crate) suspects: Suspects,
    hasher: FixedState,
    pub(crate) kinds: RwLock<Kinds>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) alerts: AlertThreads,
    members: AtomicUsize,
    max_members: usize,
    /// Wakes the driver when a deadline is nearer than it planned for.
    pub(crate) nudge: Notify,
    /// Beats refused before they reached a table.
    refused: AtomicU64,
    pub(crate) gauges: Gauges,
    blindness: Mutex<Blindness>,
    pub(crate) ingest: Ingest,
}

impl Engine {
    pub(crate) fn new(config: FleetConfig, clock: Box<dyn Clock>) -> Self {
        let hasher = FixedState::with_seed(config.seed.unwrap_or_else(random_seed));
        // Another name after a restart, also with the same seed.
        let log = EventLog::new(log_id(hasher.hash_one(clock.wall().as_microsecond())), config.events_kept);
        let defaults = Defaults {
            policy: Arc::new(config.policy),
            zone: config.zone,
            forget_failed_after: config.forget_failed_after,
            forget_left_after: config.forget_left_after,
        };
        let started = clock.monotonic();
        Self {
            clock,
            virtual_clock: Mutex::new(VirtualClock::new()),
            shards: (0..SHARDS).map(|_| Mutex::new(Table::new(defaults.clone()))).collect(),
            hosts: Mutex::default(),
            suspects: Suspects::default(),
            hasher,
            kinds: RwLock::default(),
            log: Arc::new(log),
            alerts: AlertThreads::default(),
            members: AtomicUsize::new(0),
            max_members: config.max_members,
            nudge: Notify::new(),
            refused: AtomicU64::new(0),
            gauges: Gauges::new(started),
            blindness: Mutex::new(Blindness::new()),
            ingest: Ingest::default(),
        }
    }

    /// Reads all clocks.
    pub(crate) fn now(&self) -> Now {
        let virtual_clock = lock(&self.virtual_clock);
        let mono = self.mono();
        Now { at: virtual_clock.at(mono), mono, wall: self.clock.wall() }
    }

    pub(crate) fn shards(&self) -> &[Mutex<Table>] {
        &self.shards
    }

    pub(crate) fn credited(&self) -> u64 {
        lock(&self.virtual_clock).credited()
    }

    /// How many deadlines sweeps have looked at so far.
    pub(crate) fn sweep_steps(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).sweep_steps()).sum()
    }

    pub(crate) fn key<'a>(&self, kind: KindIndex, id: &'a MemberId) -> Key<'a> {
        Key { hash: self.hasher.hash_one((kind, id.as_str())), kind, id }
    }

    pub(crate) fn table(&self, key: Key<'_>) -> MutexGuard<'_, Table> {
        // The index of a table uses the highest and the lowest bits.
        lock(&self.shards[(key.hash >> 40) as usize % SHARDS])
    }

    /// Starts to monitor a member before its first beat, or replaces its policy. Returns what it is judged by now, and
    /// the number of the event that tells it.
    pub(crate) fn announce(
        &self,
        kind: KindIndex,
        id: &MemberId,
        policy: Policy,
    ) -> Result<(ResolvedPolicy, u64), RecordError> {
        let key = self.key(kind, id);
        let mut facts = Vec::new();
        let mut table = self.table_with_room(key)?;
        let now = self.now();
        let (due, resolved) = table.announce(key, Arc::new(policy), &now, &mut facts);
        let told = self.tell(facts, &now);
        drop(table);
        self.expect_by(due);
        Ok((resolved, told))
    }

    /// Forgets the members that `which` names, and returns their ids.
    pub(crate) fn forget_all(
        &self,
        kind: KindIndex,
        reason: ForgetReason,
        which: impl Fn(&crate::core::Hot, &Now) -> bool,
    ) -> Vec<MemberId> {
        let now = self.now();
        let mut forgotten = Vec::new();
        for shard in &self.shards {
            let mut table = lock(shard);
            let slots: Vec<u32> = table
                .iter_from(0)
                .filter(|(_, hot, cold)| cold.kind == kind && which(hot, &now))
                .map(|(slot, ..)| slot)
                .collect();
            let facts: Vec<Fact> = slots.into_iter().filter_map(|slot| table.forget(slot, reason, &now)).collect();
            forgotten.extend(facts.iter().map(|fact| fact.id.clone()));
            self.tell(facts, &now);
        }
        forgotten
    }

    /// Forgets one member; returns the number of the event that tells it, if there was one.
    pub(crate) fn forget(&self, kind: KindIndex, id: &MemberId) -> Option<u64> {
        let now = self.now();
        let key = self.key(kind, id);
        let mut table = self.table(key);
        let slot = table.find(key)?;
        let fact = table.forget(slot, ForgetReason::Asked, &now);
        Some(self.tell(fact, &now))
    }

    pub(crate) fn kind_name(&self, kind: KindIndex) -> Kind {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).name(kind)
    }

    pub(crate) fn wall(&self) -> jiff::Timestamp {
        self.clock.wall()
    }

    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Beats so far, over all shards and kinds.
    pub(crate) fn tally(&self) -> Tally {
        let refused = self.refused.load(Ordering::Relaxed);
        self.shards.iter().map(|shard| lock(shard).tally()).fold(Tally { refused, ..Tally::default() }, |sum, tally| {
            Tally {
                fresh: sum.fresh + tally.fresh,
                duplicate: sum.duplicate + tally.duplicate,
                refused: sum.refused + tally.refused,
            }
        })
    }

    /// How many members of a kind are in each state, in the order of [`HealthState::ALL`].
    pub(crate) fn counts(&self, kind: KindIndex) -> [u64; HealthState::ALL.len()] {
        let mut sums = [0; HealthState::ALL.len()];
        for shard in &self.shards {
            for (sum, count) in sums.iter_mut().zip(lock(shard).counts(kind)) {
                *sum += count;
            }
        }
        sums
    }

    /// Counts a beat that is refused before it reaches a table.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Numbers facts in the log. To be called while the table they come from is locked, so that the log has the order in
    /// which things happened to a member.
    fn tell(&self, facts: impl IntoIterator<Item = Fact>, now: &Now) -> u64 {
        let mut facts = facts.into_iter().peekable();
        if facts.peek().is_none() {
            return self.log.last();
        }
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let entry = |fact: Fact| {
            match &fact.body {
                EventBody::Forgotten { .. } => {
                    self.members.fetch_sub(1, Ordering::AcqRel);
                }
                EventBody::Transition { to: HealthState::Failed, age_ms, .. } => self.gauges.failed(*age_ms),
                _ => {}
            }
            let Fact { kind, id, incarnation, gone_from, body } = fact;
            if let Some(host) = gone_from {
                self.hosts().leave(&host.key, &(kind, id.clone()), now.at);
            }
            Entry { kind: Some(kinds.name(kind)), member: Some(id), incarnation, body }
        };
        // All of them before the log is locked, since the book of hosts is never locked under it.
        let entries: Vec<Entry> = facts.map(entry).collect();
        self.log.append(now.wall, entries)
    }

    /// Microseconds of the monotonic clock.
    fn mono(&self) -> u64 {
        micros(self.clock.monotonic())
    }
}

impl Drop for Engine {
    /// Lets those who follow the log come to its end, and whoever sends canaries.
    fn drop(&mut self) {
        self.log.close();
        self.ingest.wanted.notify_one();
    }
}

fn random_seed() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}

/// A short name in letters and digits.
fn log_id(mut random: u64) -> LogId {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut name = String::new();
    for _ in 0..8 {
        name.push(char::from(DIGITS[(random % 32) as usize]));
        random /= 32;
    }
    LogId::new(name).expect("letters and digits make an id")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use heartbeat_contract::WorkerHeartbeat;

    use super::*;
    use crate::fleet::Fleet;
    use crate::registry::WorkerRegistry;

    #[test]
    fn a_call_about_one_member_waits_for_no_shard_but_its_own() {
        let fleet = Fleet::new(FleetConfig::default(), crate::clock::SystemClock::new()).unwrap();
        let workers = WorkerRegistry::new(&fleet);
        let id = MemberId::new("a").unwrap();
        let kind = fleet.engine.kinds.read().unwrap().find(&Kind::WORKER, std::any::TypeId::of::<WorkerHeartbeat>());
        let own = fleet.engine.table(fleet.engine.key(kind.unwrap(), &id));
        let others: Vec<_> = fleet.engine.shards().iter().filter_map(|shard| shard.try_lock().ok()).collect();
        assert_eq!(others.len(), SHARDS - 1);
        drop(own);
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            workers.start_monitoring(&id, Policy::default()).unwrap();
            workers.record(WorkerHeartbeat::new(id.clone())).unwrap();
            assert_eq!(workers.health(&id), Ok(HealthState::Healthy));
            assert_eq!(workers.history(&id).len(), 1);
            assert!(workers.stop_monitoring(&id));
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_mins(1)).expect("all of it is done while the other shards are locked");
        drop(others);
    }
}
