//! The naive model: every member is looked at whenever time moves, and nothing is kept that can be worked out again.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_registry::Outcome;
use heartbeat_registry::contract::{Directive, HealthState, Order, Policy, Progress, WorkerHeartbeat, WorkerStatus};

use super::{FORGET_FAILED, FORGET_LEFT};
use crate::world::millis;

const ASKED_FOR: Duration = Duration::from_mins(10);

/// One member, as told by all that was ever heard of it since it was last unknown.
#[derive(Clone, Debug)]
pub(super) struct Member {
    policy: Policy,
    announced: Duration,
    /// The beats of the run that counted: when, and the interval it was to beat at by then.
    beats: Vec<(Duration, Duration)>,
    order: Option<Order>,
    /// The newest ordered beat of an earlier life, and whether its run said goodbye.
    mark: Option<(Order, bool)>,
    declared: Option<Duration>,
    report: HealthState,
    /// What the beats of the run told of its work, and when.
    work: Vec<(Duration, Option<Progress>)>,
    /// Whether it was stuck by the newest of them.
    stuck: bool,
    pub(super) floor: HealthState,
    in_a_row: u32,
    pub(super) state: HealthState,
    since: Duration,
    /// What it is asked, and until when.
    asked: BTreeMap<&'static str, Duration>,
}

impl Member {
    fn new(policy: Policy, at: Duration) -> Self {
        Self {
            policy,
            announced: at,
            beats: Vec::new(),
            order: None,
            mark: None,
            declared: None,
            report: HealthState::Healthy,
            work: Vec::new(),
            stuck: false,
            floor: HealthState::Healthy,
            in_a_row: 0,
            state: HealthState::Healthy,
            since: at,
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn heard(&self) -> Duration {
        self.beats.last().map_or(self.announced, |(at, _)| *at)
    }

    /// The interval the member is to beat at, by its policy and what it declares.
    fn target(&self) -> Duration {
        let asked = self.policy.interval.unwrap_or(Duration::from_secs(30));
        self.declared.map_or(asked, |declared| declared.max(asked.min(declared * 10)))
    }

    /// The largest of what it is to go by now and what its last three beats were to go by.
    pub(super) fn judged(&self) -> Duration {
        let told = self.beats.iter().rev().take(3).map(|(_, target)| *target);
        told.chain([self.target()]).max().unwrap()
    }

    /// The state that age alone says, and the ages at which it changes.
    fn by_age(&self, age: Duration) -> HealthState {
        let interval = self.judged();
        let allowance = allowance(interval);
        let threshold = self.policy.threshold;
        if age > threshold * interval + allowance {
            HealthState::Failed
        } else if threshold > 2 && age >= 2 * interval + allowance {
            HealthState::Critical
        } else if age >= interval + allowance {
            HealthState::Degraded
        } else {
            HealthState::Healthy
        }
    }

    fn edges(&self) -> Vec<Duration> {
        let interval = self.judged();
        let allowance = allowance(interval);
        let tick = Duration::from_micros(1);
        let mut edges = vec![
            self.heard() + interval + allowance,
            self.heard() + 2 * interval + allowance,
            self.heard() + self.policy.threshold * interval + allowance + tick,
        ];
        if self.beats.is_empty() {
            edges.push(self.announced + self.policy.startup_grace);
        }
        edges.extend(self.asked.values());
        edges
    }

    fn judge(&self, at: Duration) -> HealthState {
        if self.state == HealthState::Left {
            return HealthState::Left;
        }
        let is_held = self.beats.is_empty() && at < self.announced + self.policy.startup_grace;
        let held = is_held && self.state != HealthState::Failed;
        let by_age = match self.by_age(at - self.heard()) {
            HealthState::Failed if held => HealthState::Critical,
            state => state,
        };
        let by_work = if self.stuck { HealthState::Critical } else { HealthState::Healthy };
        by_age.max(self.floor).max(self.report).max(by_work)
    }

    /// Whether the newest beat shows a member that is busy, and has been without progress for long enough.
    fn is_stuck(&self) -> bool {
        let Some((now, Some(told))) = self.work.last() else { return false };
        let same = |then: &Option<Progress>| then.is_some_and(|then| (then.busy, then.done) == (told.busy, told.done));
        let since = self.work.iter().rev().take_while(|(_, then)| same(then)).last().map_or(*now, |(at, _)| *at);
        told.busy && millis(told.age_ms).max(*now - since) >= self.policy.stuck_after.unwrap()
    }

    fn forgotten_at(&self) -> Option<Duration> {
        match self.state {
            HealthState::Left => Some(self.since + FORGET_LEFT),
            HealthState::Failed => Some(self.since + FORGET_FAILED),
            _ => None,
        }
    }
}

pub(super) fn allowance(interval: Duration) -> Duration {
    millis(u64::try_from(interval.as_millis()).unwrap() / 4).min(Duration::from_secs(5))
}

/// What the model says happened: to whom, what, and when on the virtual clock.
pub(super) type Happening = (String, String, Duration);

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: Duration,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) happened: Vec<Happening>,
}

impl Model {
    pub(super) fn tell(&mut self, name: &str, what: impl Into<String>) {
        self.happened.push((name.to_owned(), what.into(), self.now));
    }

    fn enter(&mut self, name: &str, state: HealthState) {
        let now = self.now;
        let member = self.members.get_mut(name).unwrap();
        let before = std::mem::replace(&mut member.state, state);
        if before != state {
            member.since = now;
            self.tell(name, format!("{before} -> {state}"));
        }
        if !state.is_online() {
            self.end(name, "void", |_, _| true);
        }
    }

    /// Ends what a member is asked, where it is so.
    fn end(&mut self, name: &str, outcome: &str, which: impl Fn(&str, Duration) -> bool) {
        let member = self.members.get_mut(name).unwrap();
        let ended: Vec<_> = member.asked.extract_if(.., |directive, until| which(directive, *until)).collect();
        for (directive, _) in ended {
            self.tell(name, format!("{directive} {outcome}"));
        }
    }

    /// What the fleet must answer: whether the member is asked by now.
    pub(super) fn ask(&mut self, name: &str, directive: Directive) -> bool {
        let until = self.now + ASKED_FOR;
        let Some(member) = self.members.get_mut(name).filter(|member| member.state.is_online()) else { return false };
        if member.asked.insert(directive.as_str(), until).is_none() {
            self.tell(name, format!("{directive} asked"));
        }
        self.review(name);
        true
    }

    /// Judges a member between sweeps, which alone make failed.
    fn review(&mut self, name: &str) {
        let member = &self.members[name];
        let state = member.judge(self.now);
        let is_for_the_sweep = state == HealthState::Failed && member.state != HealthState::Failed;
        let state = if is_for_the_sweep { member.state } else { state };
        self.enter(name, state);
    }

    /// What the fleet must answer: whether the member was asked until now.
    pub(super) fn withdraw(&mut self, name: &str, directive: Directive) -> bool {
        let was_asked = self.members.get(name).is_some_and(|member| member.asked.contains_key(directive.as_str()));
        if was_asked {
            self.end(name, "withdrawn", |asked, _| asked == directive.as_str());
        }
        was_asked
    }

    /// What the answer to a beat must ask for.
    pub(super) fn asked(&self, name: &str) -> Vec<&'static str> {
        self.members.get(name).map(|member| member.asked.keys().copied().collect()).unwrap_or_default()
    }

    /// Moves the virtual clock, one edge after the other. What a new policy has made overdue comes first.
    pub(super) fn pass(&mut self, until: Duration) {
        self.jump(self.now);
        loop {
            let next = self
                .members
                .values()
                .flat_map(|member| member.edges().into_iter().chain(member.forgotten_at()))
                .filter(|edge| *edge > self.now && *edge <= until)
                .min();
            let Some(next) = next else { break };
            self.jump(next);
        }
        self.now = until;
    }

    /// Moves the virtual clock at once, and looks at everyone.
    pub(super) fn jump(&mut self, to: Duration) {
        self.now = to;
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            let member = &self.members[&name];
            let is_over =
                member.state != HealthState::Failed || member.by_age(self.now - member.heard()) == HealthState::Failed;
            if is_over && member.forgotten_at().is_some_and(|at| at <= self.now) {
                self.members.remove(&name);
                self.tell(&name, "forgotten");
            } else {
                let state = member.judge(self.now);
                let now = self.now;
                self.end(&name, "void", |_, until| until <= now);
                self.enter(&name, state);
            }
        }
    }

    pub(super) fn announce(&mut self, name: &str, policy: Policy) {
        if let Some(member) = self.members.get_mut(name) {
            member.policy = policy;
            self.tell(name, "policy");
        } else {
            self.members.insert(name.to_owned(), Member::new(policy, self.now));
            self.tell(name, "registered");
        }
        self.review(name);
    }

    /// What the fleet must answer to a beat: an outcome, or the newest incarnation.
    pub(super) fn hear(&mut self, name: &str, default: &Policy, beat: &WorkerHeartbeat) -> Result<Outcome, u64> {
        let info = beat.beat.clone().unwrap_or_default();
        let (order, leaving) = (info.order(), info.leaving.is_some());
        let Some(member) = self.members.get(name) else {
            if leaving {
                return Ok(Outcome::Left);
            }
            let member = Member::new(default.clone(), self.now);
            self.members.insert(name.to_owned(), member);
            self.tell(name, "registered");
            self.take(name, beat, order, true);
            return Ok(Outcome::Registered);
        };
        let left = member.state == HealthState::Left;
        let new_run = match (member.order, order) {
            _ if member.beats.is_empty() => false,
            (Some(known), Some(order)) if order.incarnation < known.incarnation => return Err(known.incarnation),
            (Some(known), Some(order)) if order.incarnation > known.incarnation => true,
            (Some(known), Some(order)) if order.seq <= known.seq => return Ok(Outcome::Duplicate),
            (Some(known), Some(_)) if left && !leaving => return Err(known.incarnation),
            (None, Some(order)) if member.mark.is_some_and(|(mark, _)| order.incarnation < mark.incarnation) => {
                return Err(member.mark.unwrap().0.incarnation);
            }
            (None, Some(order)) if member.mark.is_some_and(|(mark, _)| order <= mark) => return Ok(Outcome::Duplicate),
            (None, Some(order))
                if member.mark.is_some_and(|(mark, left)| left && order.incarnation == mark.incarnation) =>
            {
                return if leaving { Ok(Outcome::Duplicate) } else { Err(order.incarnation) };
            }
            _ if left && leaving => return Ok(Outcome::Duplicate),
            (Some(_), Some(_)) => false,
            (Some(known), None) if member.state.is_online() => return Err(known.incarnation),
            (Some(_), None) => true,
            (None, _) => left,
        };
        if new_run {
            self.end(name, "void", |_, _| true);
            self.tell(name, "restarted");
        } else {
            self.count_towards_recovery(name);
            let member = &self.members[name];
            if !member.beats.is_empty() && member.order.is_none() && order.is_some() {
                self.end(name, "void", |_, _| true);
            }
        }
        self.take(name, beat, order, new_run);
        Ok(if leaving { Outcome::Left } else { Outcome::Fresh })
    }

    fn count_towards_recovery(&mut self, name: &str) {
        let now = self.now;
        let member = self.members.get_mut(name).unwrap();
        let by_age = member.by_age(now - member.heard());
        // One that no sweep has made failed was critical at worst.
        let was = if member.state == HealthState::Failed { by_age } else { by_age.min(HealthState::Critical) };
        let was = was.max(member.floor);
        if was > HealthState::Healthy {
            member.in_a_row = if by_age > HealthState::Healthy { 1 } else { member.in_a_row + 1 };
            let enough = member.in_a_row >= member.policy.recover_after;
            member.floor = if enough { HealthState::Healthy } else { was };
            member.in_a_row = if enough { 0 } else { member.in_a_row };
        }
    }

    fn take(&mut self, name: &str, beat: &WorkerHeartbeat, order: Option<Order>, new_run: bool) {
        let now = self.now;
        let member = self.members.get_mut(name).unwrap();
        if new_run {
            member.beats.clear();
            member.work.clear();
            member.floor = HealthState::Healthy;
            member.in_a_row = 0;
        }
        let info = beat.beat.clone().unwrap_or_default();
        member.declared = info.interval();
        match (member.order, order) {
            (_, Some(_)) => member.mark = None,
            (Some(known), None) => member.mark = Some((known, member.state == HealthState::Left)),
            (None, None) => {}
        }
        member.order = order;
        member.report = beat.health_status.unwrap_or_default().into();
        let target = member.target();
        member.beats.push((now, target));
        member.work.push((now, info.progress));
        member.stuck = member.is_stuck();
        if beat.status == Some(WorkerStatus::Draining) {
            self.end(name, "obeyed", |directive, _| directive == "drain");
        }
        if info.leaving.is_some() {
            self.end(name, "obeyed", |directive, _| directive == "shutdown");
        }
        let member = self.members.get_mut(name).unwrap();
        if member.state == HealthState::Left && info.leaving.is_none() {
            // A new life: nothing of the old one is left to be compared with.
            member.state = HealthState::Healthy;
            let state = member.judge(now);
            member.state = HealthState::Left;
            self.enter(name, state);
        } else {
            let state = if info.leaving.is_some() { HealthState::Left } else { member.judge(now) };
            if info.leaving.is_some() {
                member.since = now;
            }
            self.enter(name, state);
        }
    }
}
