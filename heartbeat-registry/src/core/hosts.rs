//! The book of hosts: who lives where, which hosts are silent, and whom the guard protects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heartbeat_contract::{EventBody, HoldReason, Kind, MemberId, Zone};

use super::crowd::{Crowd, Standing};
use super::guard::{Protection, Scope, Silent, grace};
use super::hold::Hold;
use super::host::{Host, HostKey};
use super::member::KindIndex;

/// A member, by kind and id.
pub(crate) type Member = (KindIndex, MemberId);

/// All hosts with members that are known and have not left.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    homes: BTreeMap<HostKey, Home>,
    /// Those of each zone, and all.
    crowds: BTreeMap<Scope, Crowd>,
    protections: BTreeMap<Scope, Protection>,
}

/// One host.
#[derive(Debug)]
struct Home {
    host: Arc<Host>,
    zone: Zone,
    /// When it was first heard.
    first: u64,
    members: BTreeSet<Member>,
    /// Its hive, if that is among the members.
    hive: Option<Member>,
    silent: Option<Silent>,
    /// Members whom the guard holds, and for how long.
    held: BTreeMap<Member, Hold>,
    /// The event that told that it is down.
    down: Option<u64>,
}

impl Home {
    fn new(key: &HostKey, zone: &Zone, at: u64) -> Self {
        Self {
            host: Arc::new(Host::new(key.clone(), at)),
            zone: zone.clone(),
            first: at,
            members: BTreeSet::new(),
            hive: None,
            silent: None,
            held: BTreeMap::new(),
            down: None,
        }
    }

    fn standing(&self) -> Standing {
        Standing { first: self.first, silent: self.silent }
    }
}

/// A member whose hold has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rehold {
    pub(crate) member: Member,
    pub(crate) hold: Hold,
}

/// How an operator ends a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The hosts are really lost: their members are judged at once.
    Confirm,
    /// There is nothing to protect: as if it had ended by itself.
    Release,
}

impl Hosts {
    /// A member lives on a host from now on. A host is in the zone that its hive tells, else in that which a member told
    /// first.
    pub(crate) fn join(&mut self, key: &HostKey, zone: &Zone, kind: &Kind, member: Member, at: u64) -> Arc<Host> {
        if !self.homes.contains_key(key) {
            let home = Home::new(key, zone, at);
            self.stand(key, &home.zone, None, Some(home.standing()));
            self.homes.insert(key.clone(), home);
        }
        let home = self.homes.get_mut(key).expect("it was put there");
        let is_its_hive = *kind == Kind::HIVE && matches!(key, HostKey::Hive(hive) if *hive == member.1);
        home.members.insert(member.clone());
        home.host.hear(at);
        let host = Arc::clone(&home.host);
        if is_its_hive {
            home.hive = Some(member);
            let (before, standing) = (std::mem::replace(&mut home.zone, zone.clone()), home.standing());
            self.stand(key, &before, Some(standing), None);
            self.stand(key, zone, None, Some(standing));
        }
        host
    }

    /// Changes where a host stands in the crowd of its zone, and in that of all.
    fn stand(&mut self, key: &HostKey, zone: &Zone, before: Option<Standing>, after: Option<Standing>) {
        for scope in [Scope::All, Scope::Zone(zone.clone())] {
            let crowd = self.crowds.entry(scope.clone()).or_default();
            before.into_iter().for_each(|standing| crowd.remove(key, standing));
            after.into_iter().for_each(|standing| crowd.add(key, standing));
            if crowd.is_empty() {
                self.crowds.remove(&scope);
            }
        }
    }

    pub(crate) fn find(&self, key: &HostKey) -> Option<Arc<Host>> {
        self.homes.get(key).map(|home| Arc::clone(&home.host))
    }

    /// A member no longer lives on a host.
    pub(crate) fn leave(&mut self, key: &HostKey, member: &Member, at: u64) {
        let Some(home) = self.homes.get_mut(key) else { return };
        home.members.remove(member);
        home.held.remove(member);
        home.hive.take_if(|hive| hive == member);
        if home.members.is_empty()
            && let Some(home) = self.homes.remove(key)
        {
            self.stand(key, &home.zone, Some(home.standing()), None);
            self.protections.values_mut().for_each(|protection| protection.remove(key, at));
        }
    }

    /// A member is past its suspect edge: its host is silent if no member of it has beaten for that member's interval.
    pub(crate) fn suspect(&mut self, key: &HostKey, interval: u64, at: u64) {
        let Some(home) = self.homes.get_mut(key) else { return };
        let since = home.host.heard();
        if at.saturating_sub(since) < interval {
            return;
        }
        let before = home.standing();
        let interval = before.silent.map_or(interval, |silent| silent.interval.max(interval));
        home.silent = Some(Silent { since, interval });
        home.host.set_silent(true);
        let (after, zone) = (home.standing(), home.zone.clone());
        if before != after {
            self.stand(key, &zone, Some(before), Some(after));
        }
    }

    /// A silent host is heard again. Members of it that are held get the time of one more beat.
    pub(crate) fn heard(&mut self, key: &HostKey, at: u64) -> Vec<Rehold> {
        let Some(home) = self.homes.get_mut(key) else { return Vec::new() };
        home.host.set_silent(false);
        home.down = None;
        let before = home.standing();
        let interval = home.silent.take().map_or(0, |silent| silent.interval);
        let until = at + grace(interval);
        let held = std::mem::take(&mut home.held);
        let (after, zone) = (home.standing(), home.zone.clone());
        self.stand(key, &zone, Some(before), Some(after));
        self.protections.values_mut().for_each(|protection| protection.remove(key, at));
        let shorter =
            |(member, hold): (Member, Hold)| Rehold { member, hold: Hold { until: hold.until.min(until), ..hold } };
        held.into_iter().map(shorter).collect()
    }

    /// What holds a member that is about to fail, since its host is one of too many that fell silent at once.
    pub(crate) fn hold(
        &mut self,
        key: &HostKey,
        member: Member,
        interval: u64,
        at: u64,
        facts: &mut Vec<EventBody>,
    ) -> Option<Hold> {
        self.suspect(key, interval, at);
        let home = self.homes.get(key)?;
        let silent = home.silent.filter(|silent| silent.since == home.host.heard())?;
        if let Some(hold) = home.held.get(&member) {
            // Once it has ended, it is not begun again before the host is heard.
            return Some(*hold).filter(|hold| at < hold.until);
        }
        let zone = home.zone.clone();
        let scopes = [Scope::All, Scope::Zone(zone)];
        let running = |scope: &&Scope| self.protections.get(*scope).is_some_and(|protection| protection.admits(silent));
        let scope = match scopes.iter().find(running) {
            Some(scope) => scope,
            None => scopes.iter().find(|scope| self.begin(scope, silent, at, facts))?,
        };
        let protection = self.protections.get_mut(scope)?;
        protection.add(key.clone(), silent);
        let hold = Hold { reason: HoldReason::MassSilence, since: protection.since, until: protection.until };
        self.homes.get_mut(key)?.held.insert(member, hold);
        Some(hold)
    }

    /// Begins to protect a scope, if too many of its hosts fell silent together with one, and it is not protected already.
    fn begin(&mut self, scope: &Scope, around: Silent, at: u64, facts: &mut Vec<EventBody>) -> bool {
        if self.protections.contains_key(scope) {
            return false;
        }
        let mass = self.crowds.get(scope).and_then(|crowd| crowd.suspect_mass(around.since));
        let Some((mass, heard)) = mass else { return false };
        let protection = Protection::new(mass, heard, at);
        facts.push(told(scope, &protection, true));
        self.protections.insert(scope.clone(), protection);
        true
    }

    /// When the next protection ends.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.protections.values().map(|protection| protection.until).min()
    }

    /// Ends the protections whose time is over.
    pub(crate) fn end_due(&mut self, at: u64, facts: &mut Vec<EventBody>) -> Vec<Rehold> {
        let due = |(scope, protection): (&Scope, &Protection)| (protection.until <= at).then(|| scope.clone());
        let scopes: Vec<Scope> = self.protections.iter().filter_map(due).collect();
        scopes.iter().filter_map(|scope| self.end(scope, Word::Release, at, facts)).flatten().collect()
    }

    /// Ends a protection; `None` if there is none.
    pub(crate) fn end(
        &mut self,
        scope: &Scope,
        word: Word,
        at: u64,
        facts: &mut Vec<EventBody>,
    ) -> Option<Vec<Rehold>> {
        let protection = self.protections.remove(scope)?;
        facts.push(told(scope, &protection, false));
        let since = |key: &HostKey| self.homes.get(key).and_then(|home| home.silent).map_or(at, |silent| silent.since);
        let mut ends = protection.release(since, at);
        if word == Word::Confirm {
            ends.values_mut().for_each(|end| *end = at);
        }
        let mut changed = Vec::new();
        for (key, until) in ends {
            let Some(home) = self.homes.get_mut(&key) else { continue };
            for (member, hold) in &mut home.held {
                hold.until = until;
                changed.push(Rehold { member: member.clone(), hold: *hold });
            }
        }
        Some(changed)
    }

    /// The protections that hold.
    pub(crate) fn protections(&self) -> impl Iterator<Item = (&Scope, &Protection, usize)> {
        self.protections.iter().map(|(scope, protection)| {
            let held = |key| self.homes.get(key).map_or(0, |home: &Home| home.held.len());
            (scope, protection, protection.silent.iter().map(held).sum())
        })
    }

    /// Who lives on a host that may be down: one with its hive and others, and all of it silent. With the event that
    /// told that it is down, if one did.
    pub(crate) fn who_may_be_down(&self, key: &HostKey) -> Option<(Vec<Member>, Option<u64>)> {
        let home = self.homes.get(key)?;
        home.silent.filter(|_| home.hive.is_some() && home.members.len() > 1)?;
        Some((home.members.iter().cloned().collect(), home.down))
    }

    /// An event told that a host is down.
    pub(crate) fn is_down(&mut self, key: &HostKey, event: u64) {
        if let Some(home) = self.homes.get_mut(key) {
            home.down = Some(event);
        }
    }

    /// When any member of a host last beat.
    pub(crate) fn heard_at(&self, key: &HostKey) -> Option<u64> {
        Some(self.homes.get(key)?.host.heard())
    }
}

fn told(scope: &Scope, protection: &Protection, active: bool) -> EventBody {
    EventBody::Protection {
        zone: scope.to_string(),
        active,
        silent_hosts: protection.silent() as u64,
        hosts: protection.of as u64,
    }
}
