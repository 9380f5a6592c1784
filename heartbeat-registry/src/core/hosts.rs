//! The book of hosts: who lives where, which hosts are silent, and whom the guard protects.

mod letting_go;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heartbeat_contract::{EventBody, HoldReason, Kind, MemberId, ProtectionEnd, Zone};

use super::crowd::{Crowd, Standing};
use super::guard::{Mass, Protection, Scope, Silent, grace};
use super::hold::Hold;
use super::host::{Host, HostKey};
use super::member::KindIndex;

pub(crate) use letting_go::LettingGo;

/// A member, by kind and id.
pub(crate) type Member = (KindIndex, MemberId);

/// All hosts with members that are known and have not left.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    homes: BTreeMap<HostKey, Home>,
    /// Those of each zone, and all; without those that were let go by the guard, which are neither heard nor news.
    crowds: BTreeMap<Scope, Crowd>,
    /// Either that of all, or some of zones: no host is in two.
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
    /// Whether it was one of too many that fell silent, protected or not.
    in_mass: bool,
    /// Members whom the guard holds, and for how long.
    held: BTreeMap<Member, Hold>,
    /// Since when the guard lets it go, and until when its members are held still.
    released: Option<(u64, u64)>,
    /// When it was heard again as one of too many, and the largest interval of the members that had shown its silence.
    back: Option<(u64, u64)>,
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
            in_mass: false,
            held: BTreeMap::new(),
            released: None,
            back: None,
            down: None,
        }
    }

    /// Where it stands among the others; `None` once it was let go.
    fn standing(&self) -> Option<Standing> {
        let standing = Standing { first: self.first, silent: self.silent };
        self.released.is_none().then_some(standing)
    }

    /// All members that it holds are held until another moment.
    fn hold_until(&mut self, until: u64, changes: &mut Changes) {
        for (member, hold) in &mut self.held {
            hold.until = until;
            changes.holds.push(Rehold { member: member.clone(), hold: *hold });
        }
    }

    fn scopes(&self) -> [Scope; 2] {
        [Scope::All, Scope::Zone(self.zone.clone())]
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

impl From<Word> for ProtectionEnd {
    fn from(word: Word) -> Self {
        match word {
            Word::Confirm => Self::Confirmed,
            Word::Release => Self::Released,
        }
    }
}

/// What of the fleet changed besides the member it was about.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// To be told, of no member.
    pub(crate) events: Vec<EventBody>,
    /// To be applied to members, once no table is locked.
    pub(crate) holds: Vec<Rehold>,
}

/// What is known of whether a whole host is down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// It is not: not silent, without a hive, or with nobody but that.
    No,
    /// It is, which this event told.
    Down(u64),
    /// It is if all of these are silent, since a moment; and its zone.
    Perhaps(Vec<Member>, u64, Zone),
}

impl Hosts {
    /// A member lives on a host from now on. A host is in the zone that its hive tells, else in that which a member told
    /// first.
    pub(crate) fn join(&mut self, key: &HostKey, zone: &Zone, kind: &Kind, member: Member, at: u64) -> Arc<Host> {
        let is_its_hive = *kind == Kind::HIVE && matches!(key, HostKey::Hive(hive) if *hive == member.1);
        if !self.homes.contains_key(key) {
            self.homes.insert(key.clone(), Home::new(key, zone, at));
            self.stand(key, None);
        }
        let home = self.homes.get_mut(key).expect("it was put there");
        home.members.insert(member.clone());
        home.host.hear(at);
        let host = Arc::clone(&home.host);
        if is_its_hive {
            home.hive = Some(member);
            if home.zone != *zone {
                let before = home.standing();
                self.leave_crowds(key, before);
                self.homes.get_mut(key).expect("it was there").zone = zone.clone();
                self.stand(key, None);
            }
        }
        host
    }

    /// Brings the crowds in line with where a host stands, instead of where it stood.
    fn stand(&mut self, key: &HostKey, before: Option<Standing>) {
        let Some(home) = self.homes.get(key) else { return };
        let (after, scopes) = (home.standing(), home.scopes());
        if before == after {
            return;
        }
        self.leave_crowds(key, before);
        for scope in scopes {
            after.into_iter().for_each(|standing| self.crowds.entry(scope.clone()).or_default().add(key, standing));
        }
    }

    fn leave_crowds(&mut self, key: &HostKey, before: Option<Standing>) {
        let (Some(before), Some(home)) = (before, self.homes.get(key)) else { return };
        for scope in home.scopes() {
            let Some(crowd) = self.crowds.get_mut(&scope) else { continue };
            crowd.remove(key, before);
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
        if home.members.is_empty() {
            let before = home.standing();
            self.leave_crowds(key, before);
            self.homes.remove(key);
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
        let interval = home.silent.map_or(interval, |silent| silent.interval.max(interval));
        home.silent = Some(Silent { since, interval });
        home.host.set_silent(true);
        self.stand(key, before);
    }

    /// A silent host is heard again. Members of it that are held, or come to be due as one of too many, get the time of
    /// one more beat.
    pub(crate) fn heard(&mut self, key: &HostKey, at: u64) -> Vec<Rehold> {
        let was_in_mass = self.was_in_mass(key);
        let Some(home) = self.homes.get_mut(key) else { return Vec::new() };
        let before = home.standing();
        home.host.set_silent(false);
        let interval = home.silent.take().map_or(0, |silent| silent.interval);
        home.back = was_in_mass.then_some((at, interval));
        (home.in_mass, home.released, home.down) = (false, None, None);
        let until = at + grace(interval);
        let held = std::mem::take(&mut home.held);
        self.stand(key, before);
        self.protections.values_mut().for_each(|protection| protection.remove(key, at));
        let shorter =
            |(member, hold): (Member, Hold)| Rehold { member, hold: Hold { until: hold.until.min(until), ..hold } };
        held.into_iter().map(shorter).collect()
    }

    /// Whether a silent host is one of too many. Hosts come back one after the other, so that what is found of one is
    /// remembered of all: soon the rest would be too few.
    fn was_in_mass(&mut self, key: &HostKey) -> bool {
        let Some((home, silent)) = self.homes.get(key).and_then(|home| Some((home, home.silent?))) else {
            return false;
        };
        if home.in_mass || home.standing().is_none() {
            return true;
        }
        let mass = home.scopes().iter().find_map(|scope| self.crowds.get(scope)?.suspect_mass(silent.since));
        let Some((mass, _)) = mass else { return false };
        self.remember(&mass);
        true
    }

    fn remember(&mut self, mass: &Mass) {
        for key in &mass.hosts {
            if let Some(home) = self.homes.get_mut(key) {
                home.in_mass = true;
            }
        }
    }

    /// What holds a member that is about to fail, since its host is one of too many that fell silent at once.
    pub(crate) fn hold(
        &mut self,
        key: &HostKey,
        member: &Member,
        interval: u64,
        at: u64,
        changes: &mut Changes,
    ) -> Option<Hold> {
        self.suspect(key, interval, at);
        let home = self.homes.get(key).filter(|home| home.members.contains(member))?;
        let (since, until) = match (home.silent.filter(|silent| silent.since == home.host.heard()), home.released) {
            (None, _) => home.back.map(|(back, of_host)| (back, back + grace(interval.max(of_host))))?,
            (Some(_), Some(released)) => released,
            (Some(silent), None) => {
                let scope = self.protect(key, silent, at, changes)?;
                let protection = self.protections.get_mut(&scope)?;
                protection.add(key.clone(), silent);
                (protection.since, protection.until)
            }
        };
        let hold = Hold { reason: HoldReason::MassSilence, since, until };
        let home = self.homes.get_mut(key).filter(|_| at < until)?;
        home.in_mass |= home.silent.is_some();
        home.held.insert(member.clone(), hold);
        Some(hold)
    }

    /// The protection that a silent host belongs to; it begins if there are too many of them. Where one of all runs, there
    /// is no other.
    fn protect(&mut self, key: &HostKey, silent: Silent, at: u64, changes: &mut Changes) -> Option<Scope> {
        let zone = Scope::Zone(self.homes.get(key)?.zone.clone());
        let scopes = if self.protections.contains_key(&Scope::All) { vec![Scope::All] } else { vec![zone, Scope::All] };
        let admits = |scope: &&Scope| self.protections.get(*scope).is_some_and(|running| running.admits(silent));
        if let Some(scope) = scopes.iter().find(admits) {
            return Some(scope.clone());
        }
        // From all to the zone: what is true of most of the fleet is told as that.
        for scope in scopes.into_iter().rev() {
            let mass = self.crowds.get(&scope).and_then(|crowd| crowd.suspect_mass(silent.since));
            let Some((mass, heard)) = mass else { continue };
            self.remember(&mass);
            if !self.protections.contains_key(&scope) {
                let mut begun = Protection::new(mass, heard, at);
                if scope == Scope::All {
                    self.absorb(&mut begun, changes);
                }
                changes.events.push(told(&scope, &begun, None));
                self.protections.insert(scope.clone(), begun);
            }
            return Some(scope);
        }
        None
    }

    /// What was a matter of zones has become one of all.
    fn absorb(&mut self, all: &mut Protection, changes: &mut Changes) {
        for (scope, zone) in std::mem::take(&mut self.protections) {
            changes.events.push(told(&scope, &zone, Some(ProtectionEnd::Widened)));
            for key in zone.silent_hosts() {
                let Some(home) = self.homes.get_mut(key) else { continue };
                all.add(key.clone(), home.silent.unwrap_or(Silent { since: all.since, interval: 0 }));
                home.hold_until(all.until, changes);
            }
        }
    }

    /// When the next protection ends.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.protections.values().map(|protection| protection.until).min()
    }

    /// Ends the protections whose time is over.
    pub(crate) fn end_due(&mut self, at: u64, changes: &mut Changes) {
        let due = |(scope, protection): (&Scope, &Protection)| (protection.until <= at).then(|| scope.clone());
        let scopes: Vec<Scope> = self.protections.iter().filter_map(due).collect();
        scopes.iter().for_each(|scope| self.end(scope, ProtectionEnd::Over, at, changes));
    }

    /// Ends a protection, if there is one. Its hosts that are still silent are let go: they are no part of a mass any more.
    pub(crate) fn end(&mut self, scope: &Scope, ended: ProtectionEnd, at: u64, changes: &mut Changes) {
        let Some(protection) = self.protections.remove(scope) else { return };
        changes.events.push(told(scope, &protection, Some(ended)));
        let since = |key: &HostKey| self.homes.get(key).and_then(|home| home.silent).map_or(at, |silent| silent.since);
        for (key, end) in protection.release(since, at) {
            let until = if ended == ProtectionEnd::Confirmed { at } else { end };
            let Some(home) = self.homes.get_mut(&key) else { continue };
            let before = home.standing();
            home.released = Some((at, until));
            home.hold_until(until, changes);
            self.stand(&key, before);
        }
    }

    /// The protections that hold, each with how many members it holds.
    pub(crate) fn protections(&self) -> impl Iterator<Item = (&Scope, &Protection, usize)> {
        self.protections.iter().map(|(scope, protection)| {
            let held = |key| self.homes.get(key).map_or(0, |home: &Home| home.held.len());
            (scope, protection, protection.silent_hosts().map(held).sum())
        })
    }

    /// Whether a host may be down: one with its hive and others, and all of it silent.
    pub(crate) fn whole(&self, key: &HostKey) -> Whole {
        let Some(home) = self.homes.get(key) else { return Whole::No };
        match (home.silent, home.down) {
            (Some(_), Some(event)) => Whole::Down(event),
            (Some(silent), None) if home.hive.is_some() && home.members.len() > 1 => {
                Whole::Perhaps(home.members.iter().cloned().collect(), silent.since, home.zone.clone())
            }
            _ => Whole::No,
        }
    }

    /// An event told that a host is down, all of it silent since a moment; unless it has been heard meanwhile.
    pub(crate) fn is_down(&mut self, key: &HostKey, since: u64, event: u64) {
        let still_silent = |home: &&mut Home| home.silent.is_some_and(|silent| silent.since == since);
        if let Some(home) = self.homes.get_mut(key).filter(still_silent) {
            home.down = Some(event);
        }
    }
}

fn told(scope: &Scope, protection: &Protection, ended: Option<ProtectionEnd>) -> EventBody {
    EventBody::Protection {
        zone: scope.to_string(),
        active: ended.is_none(),
        ended,
        silent_hosts: protection.silent() as u64,
        hosts: protection.of as u64,
    }
}

#[cfg(test)]
mod tests;
