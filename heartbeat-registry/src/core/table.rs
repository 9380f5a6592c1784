//! The members of one shard: where they are found, and in which state how many of them are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use heartbeat_contract::{EventBody, ForgetReason, HealthState, MemberId, Policy, Zone};

use super::availability::Uptime;
use super::host::Host;
use super::member::{Attachment, Cold, Hot, Key, KindIndex};
use super::now::Now;
use super::wheel::{Node, Wheel};

/// What holds for every member that has nothing of its own.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) policy: Arc<Policy>,
    pub(crate) zone: Zone,
    pub(crate) forget_failed_after: Duration,
    pub(crate) forget_left_after: Duration,
}

/// Something to be logged, and whom it is about.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) kind: KindIndex,
    pub(crate) id: MemberId,
    pub(crate) incarnation: Option<u64>,
    /// The host on which it no longer lives.
    pub(crate) gone_from: Option<Arc<Host>>,
    pub(crate) body: EventBody,
}

/// How many beats came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) fresh: u64,
    pub(crate) duplicate: u64,
    pub(crate) refused: u64,
}

/// Members by kind and id. Slots are stable: a member keeps its slot for as long as it is known.
pub(crate) struct Table {
    index: HashTable<u32>,
    pub(super) hot: Vec<Hot>,
    cold: Vec<Option<Cold>>,
    free: Vec<u32>,
    pub(super) wheel: Wheel,
    /// Who may be forgotten to make room: first those that left, then those that failed, oldest first.
    retired: BTreeSet<(bool, u64, u32)>,
    counts: Vec<[u64; HealthState::ALL.len()]>,
    pub(super) uptime: Uptime,
    pub(super) tally: Tally,
    pub(super) defaults: Defaults,
    #[cfg(test)]
    pub(super) panics_next: bool,
}

impl Table {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self {
            index: HashTable::new(),
            hot: Vec::new(),
            cold: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::new(),
            retired: BTreeSet::new(),
            counts: Vec::new(),
            uptime: Uptime::default(),
            tally: Tally::default(),
            defaults,
            #[cfg(test)]
            panics_next: false,
        }
    }

    /// The slot of a member.
    pub(crate) fn find(&self, key: Key<'_>) -> Option<u32> {
        let same = |cold: &Cold| cold.kind == key.kind && cold.id == *key.id;
        self.index.find(key.hash, |slot| self.cold[*slot as usize].as_ref().is_some_and(same)).copied()
    }

    /// Both halves of the member in a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<(&Hot, &Cold)> {
        Some((self.hot.get(slot as usize)?, self.cold.get(slot as usize)?.as_ref()?))
    }

    /// All members from a slot on, with their slots.
    pub(crate) fn iter_from(&self, slot: u32) -> impl Iterator<Item = (u32, &Hot, &Cold)> {
        let slots = slot..u32::try_from(self.hot.len()).expect("slots are numbered in 32 bits");
        slots.filter_map(|slot| self.get(slot).map(|(hot, cold)| (slot, hot, cold)))
    }

    /// How many members of a kind are in each state, in the order of [`HealthState::ALL`].
    pub(crate) fn counts(&self, kind: KindIndex) -> [u64; HealthState::ALL.len()] {
        self.counts.get(usize::from(kind.0)).copied().unwrap_or_default()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// How many entries sweeps have looked at so far.
    pub(crate) fn sweep_steps(&self) -> u64 {
        self.wheel.steps()
    }

    /// Makes the next sweep that finds someone due panic.
    #[cfg(test)]
    pub(crate) fn panic_once(&mut self) {
        self.panics_next = true;
    }

    /// Sets up all deadlines anew: everyone is looked at with the next sweep.
    pub(crate) fn rebuild_deadlines(&mut self, now: &Now) {
        self.wheel = Wheel::new();
        for slot in 0..u32::try_from(self.hot.len()).expect("slots are numbered in 32 bits") {
            self.hot[slot as usize].node = Node::new();
            if self.get(slot).is_some() {
                self.wheel.arm(&mut self.hot, slot, now.at);
            }
        }
    }

    /// Whom to forget first to make room: those that left before the failed, the oldest of each; never one that may
    /// still be alive.
    pub(crate) fn oldest_retired(&self, now: &Now) -> Option<(bool, u64, u32)> {
        self.retired
            .iter()
            .copied()
            .find(|(failed, _, slot)| !failed || self.hot[*slot as usize].by_age(now) == HealthState::Failed)
    }

    /// Forgets the member in a slot.
    pub(crate) fn forget(&mut self, slot: u32, reason: ForgetReason, now: &Now) -> Option<Fact> {
        let cold = self.cold.get_mut(slot as usize)?.take()?;
        let hot = &self.hot[slot as usize];
        let (state, incarnation) = (hot.state, hot.order().map(|order| order.incarnation));
        self.wheel.disarm(&mut self.hot, slot);
        if let Ok(entry) = self.index.find_entry(cold.hash, |other| *other == slot) {
            entry.remove();
        }
        self.uncount(cold.kind, state, cold.state_since, slot);
        self.uptime.change(Some(state), None, now.at);
        self.free.push(slot);
        let body = EventBody::Forgotten { reason };
        Some(Fact { kind: cold.kind, id: cold.id, incarnation, gone_from: cold.host, body })
    }

    /// Puts a member into a slot of its own, healthy and not yet judged.
    pub(super) fn insert(&mut self, key: Key<'_>, policy: Arc<Policy>, now: &Now) -> u32 {
        let cold = Cold::new(key, policy, self.defaults.zone.clone(), now);
        let hot = Hot::new(now);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.hot[slot as usize] = hot;
                self.cold[slot as usize] = Some(cold);
                slot
            }
            None => {
                self.hot.push(hot);
                self.cold.push(Some(cold));
                u32::try_from(self.hot.len() - 1).expect("slots are numbered in 32 bits")
            }
        };
        let hash_of = |slot: &u32| self.cold[*slot as usize].as_ref().map_or(0, |cold| cold.hash);
        self.index.insert_unique(key.hash, slot, hash_of);
        self.count(key.kind, HealthState::Healthy, now.at, slot);
        self.uptime.change(None, Some(HealthState::Healthy), now.at);
        slot
    }

    /// What a typed registry keeps with the member in a slot.
    pub(crate) fn attachment(&mut self, slot: u32) -> &mut Option<Attachment> {
        &mut self.both(slot).1.attachment
    }

    pub(super) fn fact(&self, slot: u32, body: EventBody) -> Fact {
        let (hot, cold) = self.get(slot).expect("slots in the index and the wheel are taken");
        let incarnation = hot.order().map(|order| order.incarnation);
        Fact { kind: cold.kind, id: cold.id.clone(), incarnation, gone_from: None, body }
    }

    pub(super) fn both(&mut self, slot: u32) -> (&mut Hot, &mut Cold) {
        let cold = self.cold[slot as usize].as_mut().expect("slots in the index and the wheel are taken");
        (&mut self.hot[slot as usize], cold)
    }

    /// Changes the state of a member in the books; the caller logs it.
    pub(super) fn enter(&mut self, slot: u32, state: HealthState, now: &Now) {
        let (hot, cold) = self.both(slot);
        let before = std::mem::replace(&mut hot.state, state);
        let since = std::mem::replace(&mut cold.state_since, now.at);
        cold.state_since_wall = now.wall;
        cold.end_state(before, since, now.at);
        let kind = cold.kind;
        self.uptime.change(Some(before), Some(state), now.at);
        self.uncount(kind, before, since, slot);
        self.count(kind, state, now.at, slot);
    }

    fn count(&mut self, kind: KindIndex, state: HealthState, since: u64, slot: u32) {
        let kind = usize::from(kind.0);
        if self.counts.len() <= kind {
            self.counts.resize(kind + 1, Default::default());
        }
        self.counts[kind][state as usize] += 1;
        if !state.is_online() {
            self.retired.insert((state == HealthState::Failed, since, slot));
        }
    }

    fn uncount(&mut self, kind: KindIndex, state: HealthState, since: u64, slot: u32) {
        self.counts[usize::from(kind.0)][state as usize] -= 1;
        if !state.is_online() {
            self.retired.remove(&(state == HealthState::Failed, since, slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn who_is_forgotten_leaves_nothing_behind() {
        let forever = Duration::from_hours(24);
        let defaults = Defaults {
            policy: Arc::default(),
            zone: Zone::default(),
            forget_failed_after: forever,
            forget_left_after: forever,
        };
        let mut table = Table::new(defaults);
        let now = Now { at: 0, mono: 0, wall: Timestamp::UNIX_EPOCH };
        let id = MemberId::new("a").expect("it is one");
        let key = Key { hash: 7, kind: KindIndex(0), id: &id };
        for state in [HealthState::Healthy, HealthState::Failed, HealthState::Left] {
            let slot = table.insert(key, Arc::default(), &now);
            assert_eq!((slot, table.find(key)), (0, Some(0)), "slots are used again");
            table.enter(slot, state, &now);
            table.forget(slot, ForgetReason::Asked, &now).expect("it was known");
            assert_eq!((table.find(key), table.index.len(), table.retired.len()), (None, 0, 0), "{state}");
            assert_eq!(table.counts(key.kind).iter().sum::<u64>(), 0);
        }
    }
}
