//! What lasts, what is muted, and what a sink is told of it. Without clock and I/O: times come with the events.

mod hosts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Event, EventBody, EventId, HealthState, Kind, MemberId, Zone};
use jiff::{SignedDuration, Timestamp};

use hosts::Hosts;

use super::notice::{Lasting, Notice};
use super::rule::Rule;
use crate::alert::cooldown::Cooldown;
use crate::alert::sighting::Sighting;

/// For how long two runs with one id are told of after the last event that says so: nothing says that it is over.
const DUPLICATE_LASTS: SignedDuration = SignedDuration::from_mins(10);

pub(super) type Who = (Kind, MemberId);

/// What an alert is about: of each there is one at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Member(Who),
    Flapping(Who),
    Duplicate(Who),
    Host(u64),
    Silence(String),
    Blind,
}

/// A member in a state that is to be told.
#[derive(Clone, Debug)]
pub(super) struct Down {
    who: Who,
    to: HealthState,
    alert: Arc<Lasting>,
}

/// The alerts of one sink.
#[derive(Debug)]
pub(super) struct Book {
    rule: Rule,
    cooldown: Cooldown<Down>,
    open: BTreeMap<Subject, Arc<Lasting>>,
    /// When alerts end by themselves.
    ends: BTreeMap<Who, Timestamp>,
    /// Members that flap, and the state each is in, if that is to be told.
    flapping: BTreeMap<Who, Option<Down>>,
    hosts: Hosts,
    pub(super) muted: u64,
    pub(super) suppressed: u64,
}

impl Book {
    pub(super) fn new(rule: Rule, cooldown: Duration) -> Self {
        Self {
            rule,
            cooldown: Cooldown::new(cooldown),
            open: BTreeMap::new(),
            ends: BTreeMap::new(),
            flapping: BTreeMap::new(),
            hosts: Hosts::default(),
            muted: 0,
            suppressed: 0,
        }
    }

    /// How many alerts last.
    pub(super) fn firing(&self) -> usize {
        self.open.len()
    }

    /// What is to be told of an event, about a member that was seen like this.
    pub(super) fn hear(&mut self, event: &Event, seen: Option<&Sighting>) -> Vec<Notice> {
        let mut told = self.tick(event.at);
        let before = told.len();
        let who = event.kind.clone().zip(event.member.clone());
        match (&event.body, &who) {
            (EventBody::Transition { to, group, .. }, Some(who)) => {
                self.transition(event, who, *to, *group, seen, &mut told);
            }
            (EventBody::Forgotten { .. }, Some(who)) => self.forget(event, who, &mut told),
            (EventBody::Flapping { zone, active: true }, Some(who)) => {
                self.start_flapping(event, who, zone, seen, &mut told);
            }
            (EventBody::Flapping { active: false, .. }, Some(who)) => self.settle(event, who, &mut told),
            (EventBody::DuplicateIdentity { addresses }, Some(who)) => {
                self.duplicate(event, who, addresses, seen, &mut told);
            }
            (EventBody::HostDown { host, zone, members, failed_before }, _) => {
                let alert = Lasting::host(event, host, zone, *members, failed_before);
                self.host_down(event.n, host, alert, &mut told);
            }
            (EventBody::Protection { zone, active, silent_hosts, hosts, .. }, _) => {
                if *active && (zone == "_all" || self.rule.admits_zone(zone)) {
                    let alert = Lasting::silence(event, zone, *silent_hosts, *hosts);
                    self.begin(Subject::Silence(zone.clone()), alert.into(), &mut told);
                } else if !*active {
                    self.end(&Subject::Silence(zone.clone()), event, &mut told);
                }
            }
            (EventBody::RegistryBlind { credited_ms, window_ms, active: true }, _) => {
                self.begin(Subject::Blind, Lasting::blind(event, *credited_ms, *window_ms).into(), &mut told);
            }
            (EventBody::RegistryBlind { active: false, .. }, _) => self.end(&Subject::Blind, event, &mut told),
            _ => {}
        }
        number(&mut told[before..]);
        told
    }

    /// By when to look [what is due](Self::tick).
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.cooldown.due().into_iter().chain(self.ends.values().copied()).min()
    }

    /// What is to be told since a time has come.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Notice> {
        let mut told = Vec::new();
        for down in self.cooldown.take_due(now) {
            self.tell(down, &mut told);
        }
        let over: Vec<Who> = self.ends.iter().filter(|(_, at)| **at <= now).map(|(who, _)| who.clone()).collect();
        for who in over {
            self.ends.remove(&who);
            self.end_unheard(&Subject::Duplicate(who), now, &mut told);
        }
        told
    }

    /// Compares what lasts with how members are, since events were missed. What nobody can be asked for counts as over.
    pub(super) fn miss(&mut self, now: Timestamp, seen: impl Fn(&Who) -> Option<HealthState>) -> Vec<Notice> {
        let mut told = Vec::new();
        self.cooldown.keep(|kind, member| seen(&(kind.clone(), member.clone())));
        for (_, down) in std::mem::take(&mut self.flapping) {
            if let Some(down) = down.filter(|down| seen(&down.who) == Some(down.to)) {
                self.tell(down, &mut told);
            }
        }
        self.hosts.keep(&seen);
        let rule = &self.rule;
        let over = |subject: &Subject| match subject {
            Subject::Member(who) => !seen(who).is_some_and(|state| rule.asks_for(state)),
            Subject::Duplicate(who) => seen(who).is_none(),
            Subject::Host(n) => !self.hosts.contains(*n),
            Subject::Flapping(_) | Subject::Silence(_) | Subject::Blind => true,
        };
        let over: Vec<Subject> = self.open.keys().filter(|subject| over(subject)).cloned().collect();
        for subject in over {
            self.end_unheard(&subject, now, &mut told);
        }
        self.ends.retain(|who, _| self.open.contains_key(&Subject::Duplicate(who.clone())));
        told
    }

    fn transition(
        &mut self,
        event: &Event,
        who: &Who,
        to: HealthState,
        group: Option<u64>,
        seen: Option<&Sighting>,
        told: &mut Vec<Notice>,
    ) {
        self.cooldown.let_go(who);
        if to != HealthState::Failed {
            self.back(event, who, seen, told);
        }
        let is_asked_for = self.rule.asks_for(to) && self.rule.admits(&who.0, &who.1, seen.map(|seen| &seen.zone));
        let down = || {
            let alert = Arc::new(Lasting::member(event, who, to, seen));
            Down { who: who.clone(), to, alert }
        };
        if let Some(n) = group {
            self.failed_with_host(event, who, n, is_asked_for.then(down), seen, told);
        }
        if !is_asked_for {
            if let Some(down) = self.flapping.get_mut(who) {
                *down = None;
            }
            self.cooldown.admits(&who.0, &who.1, HealthState::Healthy, event.at, || unreachable!("it is well"));
            self.end(&Subject::Member(who.clone()), event, told);
            return;
        }
        let is_grouped = group.is_some();
        if is_grouped || self.flapping.contains_key(who) {
            self.muted += 1;
        }
        if is_grouped {
            // What was told of it alone is told of its host from now on.
            self.end(&Subject::Member(who.clone()), event, told);
            self.flapping.entry(who.clone()).and_modify(|down| *down = None);
            return;
        }
        if let Some(state) = self.flapping.get_mut(who) {
            *state = Some(down());
        } else if self.cooldown.admits(&who.0, &who.1, to, event.at, down) {
            self.tell(down(), told);
        } else {
            self.suppressed += 1;
        }
    }

    /// Tells of a member, instead of what was told of it before.
    fn tell(&mut self, Down { who, alert, .. }: Down, told: &mut Vec<Notice>) {
        let replaces = self.open.insert(Subject::Member(who), Arc::clone(&alert));
        told.push(Notice { key: alert.event.to_string(), alert, ended: None, replaces });
    }

    fn begin(&mut self, subject: Subject, alert: Arc<Lasting>, told: &mut Vec<Notice>) {
        // One that lasts and is told again is still the same.
        if let std::collections::btree_map::Entry::Vacant(place) = self.open.entry(subject) {
            place.insert(Arc::clone(&alert));
            told.push(Notice { key: alert.event.to_string(), alert, ended: None, replaces: None });
        }
    }

    fn end(&mut self, subject: &Subject, event: &Event, told: &mut Vec<Notice>) {
        if let Some(alert) = self.open.remove(subject) {
            let ended = Some(event.at.max(alert.since));
            told.push(Notice { key: event.id.to_string(), alert, ended, replaces: None });
        }
    }

    /// Ends what no event tells the end of.
    fn end_unheard(&mut self, subject: &Subject, now: Timestamp, told: &mut Vec<Notice>) {
        if let Some(alert) = self.open.remove(subject) {
            let ended = Some(now.max(alert.since));
            told.push(Notice { key: format!("{}.end", alert.event), alert, ended, replaces: None });
        }
    }

    fn forget(&mut self, event: &Event, who: &Who, told: &mut Vec<Notice>) {
        self.cooldown.forget(&who.0, &who.1);
        self.flapping.remove(who);
        self.ends.remove(who);
        for subject in [Subject::Member, Subject::Flapping, Subject::Duplicate] {
            self.end(&subject(who.clone()), event, told);
        }
        self.back(event, who, None, told);
    }

    fn start_flapping(
        &mut self,
        event: &Event,
        who: &Who,
        zone: &Zone,
        seen: Option<&Sighting>,
        told: &mut Vec<Notice>,
    ) {
        if !self.rule.admits(&who.0, &who.1, Some(zone)) {
            return;
        }
        let held_back = self.cooldown.let_go(who);
        self.flapping.entry(who.clone()).or_insert(held_back);
        self.begin(Subject::Flapping(who.clone()), Lasting::flapping(event, who, zone, seen).into(), told);
    }

    /// A member flaps no more: what it has come to is told, unless it was told before it began.
    fn settle(&mut self, event: &Event, who: &Who, told: &mut Vec<Notice>) {
        self.end(&Subject::Flapping(who.clone()), event, told);
        if let Some(Some(down)) = self.flapping.remove(who) {
            self.cooldown.mark(who, down.to, event.at);
            self.tell(down, told);
        }
    }

    fn duplicate(
        &mut self,
        event: &Event,
        who: &Who,
        addresses: &[String],
        seen: Option<&Sighting>,
        told: &mut Vec<Notice>,
    ) {
        if !self.rule.admits(&who.0, &who.1, seen.map(|seen| &seen.zone)) {
            return;
        }
        let until = event.at.checked_add(DUPLICATE_LASTS).unwrap_or(Timestamp::MAX);
        self.ends.insert(who.clone(), until);
        self.begin(Subject::Duplicate(who.clone()), Lasting::duplicate(event, who, addresses, seen).into(), told);
    }

    /// A host is told of at once if the rule asks for everyone, else with the first member that it asks for.
    fn host_down(&mut self, n: u64, name: &str, alert: Lasting, told: &mut Vec<Notice>) {
        if !self.rule.asks_for(HealthState::Failed) {
            return;
        }
        let alert = Arc::new(alert);
        let untold = (!self.rule.admits_everyone()).then(|| Arc::clone(&alert));
        if untold.is_none() {
            self.begin(Subject::Host(n), alert, told);
        }
        self.hosts.add(n, name, untold);
    }

    fn failed_with_host(
        &mut self,
        event: &Event,
        who: &Who,
        n: u64,
        down: Option<Down>,
        seen: Option<&Sighting>,
        told: &mut Vec<Notice>,
    ) {
        let unknown = || {
            let id = EventId { log: event.id.log.clone(), n };
            (seen.map(|seen| seen.host.clone()), Lasting::host_of(event, id, seen))
        };
        if let Some(alert) = self.hosts.failed(n, who, down, unknown) {
            self.begin(Subject::Host(n), alert, told);
        }
    }

    /// A member is heard of again, or forgotten: a host may be back. Those on it that stay down are told of one by one, but
    /// not before a cooldown is over, since a host does not come back all at once.
    fn back(&mut self, event: &Event, who: &Who, seen: Option<&Sighting>, told: &mut Vec<Notice>) {
        for (n, down) in self.hosts.back(who, seen.map(|seen| seen.host.as_str())) {
            self.end(&Subject::Host(n), event, told);
            for down in down {
                let (kind, id) = down.who.clone();
                self.cooldown.mark(&down.who, down.to, event.at);
                if self.cooldown.admits(&kind, &id, down.to, event.at, || down.clone()) {
                    self.tell(down, told);
                }
            }
        }
    }
}

/// An event that tells of several alerts has a key for each: its id, and then its id with a number.
fn number(told: &mut [Notice]) {
    for place in 1..told.len() {
        if told[..place].iter().any(|before| before.key == told[place].key) {
            told[place].key = format!("{}.{}", told[place].key, place + 1);
        }
    }
}
