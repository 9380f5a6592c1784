//! Where members live, and what that means for those that are about to fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;

use heartbeat_contract::{EventBody, ProtectionView, ProtectionsPage};

use super::Engine;
use super::sweep::LONGEST_SLEEP;
use crate::core::{Fate, Hosts, Noticed, Notices, Now, Protection, Rehold, Scope, Table, Word, micros};
use crate::lock::lock;
use crate::log::Entry;

/// How many members that failed before their host was known to be down an event names.
const NAMED: usize = 100;

impl Engine {
    pub(super) fn hosts(&self) -> MutexGuard<'_, Hosts> {
        lock(&self.hosts)
    }

    /// Writes into the book where the member in a slot lives, if its newest beat tells something new, and that its host is
    /// heard. What that changes for others is to be applied once the table is no longer locked.
    pub(super) fn settle_home(&self, table: &mut Table, slot: u32, now: &Now) -> Vec<Rehold> {
        let mut changed = Vec::new();
        if let Some(host) = table.host(slot).filter(|host| host.is_silent()) {
            changed = self.hosts().heard(&host.key, now.at);
        }
        table.move_home(slot, |before, key, zone, member| {
            let kind = self.kind_name(member.0);
            let mut hosts = self.hosts();
            if let Some(before) = before.filter(|before| before.key != *key) {
                hosts.leave(&before.key, &member, now.at);
            }
            if let Some(host) = hosts.find(key).filter(|host| host.is_silent()) {
                changed.extend(hosts.heard(&host.key, now.at));
            }
            hosts.join(key, zone, &kind, member, now.at)
        });
        changed
    }

    /// Applies what the guard has changed of holds. Returns when to come again.
    pub(super) fn rehold(&self, changed: Vec<Rehold>, now: &Now) -> u64 {
        let rehold = |Rehold { member: (kind, id), hold }: Rehold| {
            let key = self.key(kind, &id);
            let mut table = self.table(key);
            let slot = table.find(key)?;
            let mut facts = Vec::new();
            let due = table.rehold(slot, hold, now, &mut facts);
            self.tell(facts, now);
            Some(due)
        };
        changed.into_iter().filter_map(rehold).min().unwrap_or(u64::MAX)
    }

    /// Ends the protections whose time is over. Returns when the next one ends.
    pub(super) fn end_protections(&self, now: &Now) {
        let mut events = Vec::new();
        let changed = {
            let mut hosts = self.hosts();
            if hosts.next_end().is_none_or(|end| now.at < end) {
                return;
            }
            hosts.end_due(now.at, &mut events)
        };
        self.tell_of_the_fleet(events, now);
        self.rehold(changed, now);
    }

    /// Decides about all that a sweep noticed. Returns when to come again.
    pub(super) fn conclude(&self, notices: Notices, now: &Now) -> u64 {
        let Notices { suspects, doomed } = notices;
        if suspects.is_empty() && doomed.is_empty() {
            return u64::MAX;
        }
        {
            let mut hosts = self.hosts();
            for suspect in &suspects {
                if let Some(host) = &suspect.host {
                    hosts.suspect(&host.key, suspect.interval, now.at);
                }
            }
        }
        self.suspects.add(suspects);
        doomed.iter().map(|doomed| self.conclude_or_recover(doomed, now)).min().unwrap_or(u64::MAX)
    }

    /// A member that is due to fail has no deadline until it is concluded, so that after a panic those of its shard are set
    /// up anew.
    fn conclude_or_recover(&self, doomed: &Noticed, now: &Now) -> u64 {
        catch_unwind(AssertUnwindSafe(|| self.conclude_one(doomed, now))).unwrap_or_else(|_| {
            self.gauges.panicked();
            tracing::error!("deciding whether a member fails panicked; its shard is judged anew");
            let (kind, id) = &doomed.member;
            self.table(self.key(*kind, id)).rebuild_deadlines(now);
            now.at + micros(LONGEST_SLEEP)
        })
    }

    fn conclude_one(&self, doomed: &Noticed, now: &Now) -> u64 {
        let fate = self.fate(doomed, now);
        let (kind, id) = &doomed.member;
        let key = self.key(*kind, id);
        let mut table = self.table(key);
        let Some(slot) = table.find(key) else { return u64::MAX };
        let mut facts = Vec::new();
        let due = table.conclude(slot, fate, now, &mut facts);
        self.tell(facts, now);
        due
    }

    fn fate(&self, doomed: &Noticed, now: &Now) -> Fate {
        let Some(host) = &doomed.host else { return Fate::Fails { group: None } };
        let mut events = Vec::new();
        let hold = self.hosts().hold(&host.key, doomed.member.clone(), doomed.interval, now.at, &mut events);
        self.tell_of_the_fleet(events, now);
        match hold {
            Some(hold) => Fate::Held(hold),
            None => Fate::Fails { group: self.host_down(doomed, now) },
        }
    }

    /// The event that tells that the host of a member is down: its hive and all other members on it are silent.
    fn host_down(&self, doomed: &Noticed, now: &Now) -> Option<u64> {
        let host = doomed.host.as_ref()?;
        let (members, down) = self.hosts().who_may_be_down(&host.key)?;
        if down.is_some() {
            return down;
        }
        let silent_since = self.hosts().heard_at(&host.key)?;
        let mut failed_before = Vec::new();
        for (kind, id) in &members {
            let key = self.key(*kind, id);
            let table = self.table(key);
            let Some(slot) = table.find(key) else { continue };
            let (is_silent, has_failed) = table.is_silent_since(slot, silent_since, now)?;
            if !is_silent {
                return None;
            }
            if has_failed {
                failed_before.push(format!("{}/{id}", self.kind_name(*kind)));
            }
        }
        failed_before.truncate(NAMED);
        let (host_name, members) = (host.key.to_string(), members.len() as u64);
        let event = self.tell_of_the_fleet([EventBody::HostDown { host: host_name, members, failed_before }], now);
        self.hosts().is_down(&host.key, event);
        Some(event)
    }

    /// Numbers events that are about no member; returns the number of the last.
    pub(super) fn tell_of_the_fleet(&self, events: impl IntoIterator<Item = EventBody>, now: &Now) -> u64 {
        let entry = |body| Entry { kind: None, member: None, incarnation: None, body };
        self.log.append(now.wall, events.into_iter().map(entry))
    }

    /// The protections that hold.
    pub(crate) fn protections(&self) -> ProtectionsPage {
        let now = self.now();
        let hosts = self.hosts();
        let protections = hosts.protections();
        let views = protections.map(|(scope, protection, members)| view(scope, protection, members, &now));
        ProtectionsPage { protections: views.collect() }
    }

    /// Ends a protection by an operator's word; returns what it was, and the number of the event that tells it.
    pub(crate) fn end_protection(&self, zone: &str, word: Word) -> Option<(ProtectionView, u64)> {
        let now = self.now();
        let scope = Scope::parse(zone)?;
        let mut events = Vec::new();
        let (ended, changed) = {
            let mut hosts = self.hosts();
            let ended = hosts.protections().find(|(running, ..)| **running == scope);
            let ended = ended.map(|(scope, protection, members)| view(scope, protection, members, &now))?;
            (ended, hosts.end(&scope, word, now.at, &mut events)?)
        };
        let told = self.tell_of_the_fleet(events, &now);
        let due = self.rehold(changed, &now);
        self.expect_by(due);
        Some((ended, told))
    }
}

fn view(scope: &Scope, protection: &Protection, members: usize, now: &Now) -> ProtectionView {
    ProtectionView {
        zone: scope.to_string(),
        since: now.wall_at(protection.since),
        until: now.wall_at(protection.until),
        silent_hosts: protection.silent() as u64,
        hosts: protection.of as u64,
        members: members as u64,
    }
}
