//! Where members live, and what that means for those that are about to fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};

use heartbeat_contract::{EventBody, ProtectionView, ProtectionsPage};

use super::Engine;
use super::sweep::LONGEST_SLEEP;
use crate::core::{
    Changes, Fact, Fate, Host, Hosts, LettingGo, Member, Noticed, Notices, Now, Protection, Rehold, Scope, Table,
    Whole, Word, micros,
};
use crate::lock::lock;
use crate::log::Entry;

/// How many members that failed before their host was known to be down an event names.
const NAMED: usize = 100;

impl Engine {
    pub(super) fn hosts(&self) -> MutexGuard<'_, Hosts> {
        lock(&self.hosts)
    }

    /// A beat came from a silent host, or from another than before. What that changes for others is to be applied once the
    /// table is no longer locked.
    pub(super) fn settle_home(
        &self,
        table: &mut Table,
        slot: u32,
        silent: Option<Arc<Host>>,
        now: &Now,
    ) -> Vec<Rehold> {
        let mut changed = Vec::new();
        // One that moved away says nothing of the host it left.
        if let Some(host) = silent.filter(|host| table.beats_from(slot, &host.key)) {
            changed = self.hosts().heard(&host.key, now.at);
        }
        table.move_home(slot, |before, key, zone, member| {
            let kind = self.kind_name(member.0);
            let mut hosts = self.hosts();
            if let Some(before) = before.filter(|before| before.key != *key) {
                hosts.leave(&before.key, &member, now.at);
            }
            if hosts.find(key).is_some_and(|host| host.is_silent()) {
                changed.extend(hosts.heard(key, now.at));
            }
            hosts.join(key, zone, &kind, member, now.at)
        });
        changed
    }

    /// Applies what the guard has changed of holds. Returns when to come again.
    pub(super) fn rehold(&self, changed: Vec<Rehold>, now: &Now) -> u64 {
        let rehold = |Rehold { member, hold }: Rehold| {
            self.with_table_of(&member, |table, slot, facts| table.rehold(slot, hold, now, facts), now)
        };
        changed.into_iter().map(rehold).min().unwrap_or(u64::MAX)
    }

    /// Ends the protections whose time is over.
    pub(super) fn end_protections(&self, now: &Now) {
        let mut changes = Changes::default();
        {
            let mut hosts = self.hosts();
            if hosts.next_end().is_none_or(|end| now.at < end) {
                return;
            }
            hosts.end_due(now.at, &mut changes);
        }
        self.apply(changes, now);
    }

    /// Tells what changed of the fleet, and applies it to members. Returns when to come again.
    fn apply(&self, Changes { events, holds }: Changes, now: &Now) -> u64 {
        self.tell_of_the_fleet(events, now);
        self.rehold(holds, now)
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
        let mut changes = Changes::default();
        let held = self.conclude_if_held(doomed, now, &mut changes);
        let due = self.apply(changes, now).min(held.unwrap_or(u64::MAX));
        if held.is_some() {
            return due;
        }
        let fate = Fate::Fails { group: self.host_down(doomed, now) };
        self.with_table_of(&doomed.member, |table, slot, facts| table.conclude(slot, fate, now, facts), now).min(due)
    }

    /// Holds a member that is due to fail, if the guard does; under one lock, so that no word of an operator comes in
    /// between. `None` if it is to fail.
    fn conclude_if_held(&self, doomed: &Noticed, now: &Now, changes: &mut Changes) -> Option<u64> {
        let host = doomed.host.as_ref()?;
        let mut is_held = false;
        let hold = |table: &mut Table, slot, facts: &mut Vec<Fact>| {
            if !table.is_doomed(slot, now) {
                return u64::MAX;
            }
            let hold = self.hosts().hold(&host.key, &doomed.member, doomed.interval, now.at, changes);
            is_held = hold.is_some();
            hold.map_or(u64::MAX, |hold| table.conclude(slot, Fate::Held(hold), now, facts))
        };
        let due = self.with_table_of(&doomed.member, hold, now);
        is_held.then_some(due)
    }

    /// Does something to a member, if it is known, and tells what came of it.
    fn with_table_of(
        &self,
        (kind, id): &Member,
        change: impl FnOnce(&mut Table, u32, &mut Vec<Fact>) -> u64,
        now: &Now,
    ) -> u64 {
        let key = self.key(*kind, id);
        let mut table = self.table(key);
        let Some(slot) = table.find(key) else { return u64::MAX };
        let mut facts = Vec::new();
        let due = change(&mut table, slot, &mut facts);
        self.tell(facts, now);
        due
    }

    /// The event that tells that the host of a member is down: its hive and all other members on it are silent.
    fn host_down(&self, doomed: &Noticed, now: &Now) -> Option<u64> {
        let host = doomed.host.as_ref()?;
        let whole = self.hosts().whole(&host.key);
        let (members, since, zone) = match whole {
            Whole::No => return None,
            Whole::Down(event) => return Some(event),
            Whole::Perhaps(members, since, zone) => (members, since, zone),
        };
        let mut failed_before = Vec::new();
        for (kind, id) in &members {
            let key = self.key(*kind, id);
            let table = self.table(key);
            let Some(slot) = table.find(key) else { continue };
            let (is_silent, has_failed) = table.is_silent_since(slot, since, now)?;
            if !is_silent {
                return None;
            }
            if has_failed {
                failed_before.push(format!("{}/{id}", self.kind_name(*kind)));
            }
        }
        failed_before.truncate(NAMED);
        let (host_name, members) = (host.key.to_string(), members.len() as u64);
        let body = EventBody::HostDown { host: host_name, zone, members, failed_before };
        let event = self.tell_of_the_fleet([body], now);
        self.hosts().is_down(&host.key, since, event);
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
        let letting_go = hosts.letting_go(now.at);
        let others = letting_go.iter().map(|(zone, hosts)| view_of_letting_go(zone.as_ref(), *hosts, &now));
        ProtectionsPage { protections: views.chain(others).collect() }
    }

    /// Ends a protection by an operator's word; returns what it was, and the number of the event that tells it.
    pub(crate) fn end_protection(&self, zone: &str, word: Word) -> Option<(ProtectionView, u64)> {
        let now = self.now();
        let scope = Scope::parse(zone)?;
        let mut changes = Changes::default();
        let ended = {
            let mut hosts = self.hosts();
            let running = hosts.protections().find(|(running, ..)| **running == scope);
            let running = running.map(|(scope, protection, members)| view(scope, protection, members, &now));
            let ended = running.or_else(|| of_letting_go(&hosts, &scope, &now).filter(|_| word == Word::Confirm))?;
            hosts.end(&scope, word.into(), now.at, &mut changes);
            if word == Word::Confirm {
                hosts.let_go_at_once(&scope, now.at, &mut changes);
            }
            ended
        };
        let Changes { events, holds } = changes;
        let told = self.tell_of_the_fleet(events, &now);
        self.expect_by(self.rehold(holds, &now));
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
        letting_go: false,
    }
}

fn view_of_letting_go(zone: &str, LettingGo { since, until, hosts, members }: LettingGo, now: &Now) -> ProtectionView {
    ProtectionView {
        zone: zone.to_owned(),
        since: now.wall_at(since),
        until: now.wall_at(until),
        silent_hosts: hosts as u64,
        hosts: hosts as u64,
        members: members as u64,
        letting_go: true,
    }
}

/// What is let go of a scope, if anything is.
fn of_letting_go(hosts: &Hosts, scope: &Scope, now: &Now) -> Option<ProtectionView> {
    let zones = hosts.letting_go(now.at);
    let of_scope = zones.into_iter().filter(|(zone, _)| scope.has(zone)).map(|(_, hosts)| hosts);
    let all = of_scope.reduce(|sum, zone| LettingGo {
        since: sum.since.min(zone.since),
        until: sum.until.max(zone.until),
        hosts: sum.hosts + zone.hosts,
        members: sum.members + zone.members,
    });
    all.map(|all| view_of_letting_go(&scope.to_string(), all, now))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use heartbeat_contract::{BeatInfo, Kind, MemberId, WorkerHeartbeat};

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::FleetConfig;
    use crate::core::{KindIndex, Origin};
    use crate::fleet::Fleet;
    use crate::registry::WorkerRegistry;

    /// The host that the book has a member on.
    fn home(engine: &Engine, workers: KindIndex, id: &MemberId) -> Option<String> {
        let key = engine.key(workers, id);
        let table = engine.table(key);
        let host = table.get(table.find(key)?)?.1.host.as_ref()?;
        Some(host.key.to_string())
    }

    #[test]
    fn a_member_lives_where_its_newest_beat_comes_from_and_nowhere_once_it_left() {
        let clock = ManualClock::new("2026-01-02T03:00:00Z".parse().unwrap());
        let fleet = Fleet::new(FleetConfig::default(), clock.clone()).unwrap();
        let _workers = WorkerRegistry::new(&fleet);
        let engine = &fleet.engine;
        let (workers, id) = (KindIndex(0), MemberId::new("a").unwrap());
        assert_eq!(engine.kind_name(workers), Kind::WORKER);
        let beat = |address: &str, leaving: Option<&str>| {
            clock.advance(Duration::from_secs(1));
            let info = BeatInfo { leaving: leaving.map(str::to_owned), ..BeatInfo::default() };
            let beat = WorkerHeartbeat { beat: Some(info), ..WorkerHeartbeat::new(id.clone()) };
            let origin = Origin::Peer(address.parse::<IpAddr>().unwrap());
            engine.record(workers, beat, origin, |_, _, _, _| None).unwrap();
            home(engine, workers, &id)
        };
        let one = Some("192.0.2.1".to_owned());
        assert_eq!([beat("192.0.2.1", None), beat("192.0.2.1", None)], [one.clone(), one.clone()]);
        assert_eq!(beat("192.0.2.2", None), Some("192.0.2.2".to_owned()));
        assert_eq!(beat("192.0.2.2", Some("done")), None);
        assert_eq!(beat("192.0.2.2", None), Some("192.0.2.2".to_owned()));
        assert_eq!(beat("192.0.2.1", None), one);
    }
}
