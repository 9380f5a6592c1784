//! Holds what happens beside what is promised.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, HealthState, MemberStats, Order, Policy};
use jiff::SignedDuration;

use super::blind::Blind;
use super::fact::{Fact, Name, Receipt, Violation};
use super::member::Member;

/// The processing time of the published bound.
const PROCESSING: Duration = Duration::from_millis(1);
/// What is told in whole milliseconds may be off by one.
const ROUNDING: Duration = Duration::from_millis(1);
/// How long a member may still be held after the last hold was seen to end.
const PROMOTION: Duration = Duration::from_secs(61);
/// How far an incarnation may be ahead of the registry's wall clock.
const LEAD: SignedDuration = SignedDuration::from_hours(24);

/// How far a seq may be ahead of the last.
const SEQ_LEAD: u64 = 1_000_000;

/// By what to judge.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How members are judged that have no policy of their own.
    pub(crate) policy: Policy,
    pub(crate) own_policies: BTreeMap<Name, Policy>,
    pub(crate) max_members: u64,
    /// How late the checker may be told of what happened.
    pub(crate) tick: Duration,
}

/// Is told all that happens, in its order, and says what should not have been.
#[derive(Debug)]
pub(crate) struct Checker {
    rules: Rules,
    started: Duration,
    blind: Blind,
    members: BTreeMap<Name, Member>,
    next_event: u64,
    protections: u32,
    protected_until: Option<Duration>,
    violations: Vec<Violation>,
}

impl Checker {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            started: Duration::ZERO,
            blind: Blind::default(),
            members: BTreeMap::new(),
            next_event: 1,
            protections: 0,
            protected_until: None,
            violations: Vec::new(),
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn observe(&mut self, at: Duration, fact: Fact) {
        match fact {
            Fact::Started => {
                *self = Self {
                    started: at,
                    violations: std::mem::take(&mut self.violations),
                    ..Self::new(self.rules.clone())
                }
            }
            Fact::Stopped => self.blind.stop(at),
            Fact::Continued => self.blind.go_on(at),
            Fact::Beat(receipt) => self.beat(at, &receipt),
            Fact::Logged(event) => self.logged(at, &event),
            Fact::Counted { stats, listed } => self.counted(at, &stats, listed),
            Fact::Looked { name, is_held } => self.looked(at, &name, is_held),
            Fact::Settled { name, lives, state } => self.settled(at, &name, lives, state),
        }
    }

    /// Those that should be failed by now unless something holds them: to be looked at.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<Name> {
        if self.blind.is_stopped() {
            return Vec::new();
        }
        let is_overdue = |member: &Member| {
            let age = self.least_virtual_age(member, now);
            member.state.is_some_and(HealthState::is_online) && age > member.bound() + PROCESSING + self.rules.tick
        };
        self.members.iter().filter(|(_, member)| is_overdue(member)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether all that are known are healthy, failed or left, so that nothing will happen by itself.
    pub(crate) fn is_settled(&self) -> bool {
        let is_settled = |state| !matches!(state, HealthState::Degraded | HealthState::Critical);
        self.members.values().filter_map(|member| member.state).all(is_settled)
    }

    fn least_virtual_age(&self, member: &Member, now: Duration) -> Duration {
        let age = now.saturating_sub(member.heard);
        age.saturating_sub(self.blind.credit(member.heard, now).1)
    }

    fn beat(&mut self, at: Duration, receipt: &Receipt) {
        let Receipt { name, order, before, after, .. } = receipt;
        let orders = (before.as_ref().and_then(|known| known.order), after.as_ref().and_then(|known| known.order));
        if let (Some(before), Some(after)) = orders
            && after < before
        {
            self.violated("I3", at, format!("{name} went back from {before:?} to {after:?}"));
        }
        let policy = self.policy_of(name);
        let member = self.members.entry(name.clone()).or_insert_with(|| Member::new(policy, at));
        let is_known = before.is_some();
        let is_news = receipt.status == 200 && (is_known || !receipt.is_goodbye) && member.is_news(receipt);
        let newest = member.newest;
        if is_news {
            member.hear(receipt, at);
        }
        if !is_news && before != after {
            let what = format!("{name}: {order:?}, answered {}, changed {before:?} to {after:?}", receipt.status);
            return self.violated("I3", at, what);
        }
        if receipt.status == 422 && is_known && is_proper(newest, *order) {
            self.violated("I2", at, format!("{name}: {order:?} is refused, though {newest:?} was taken"));
        }
        let Some(order) = order.filter(|_| receipt.status == 200) else { return };
        if is_known && newest.is_some_and(|newest| order.incarnation < newest.incarnation) {
            self.violated("I3", at, format!("{name}: the older run {order:?} was taken after {newest:?}"));
        }
        // A run that was refused as older takes the number after the newest, wherever the registry's clock has gone since.
        let is_ahead = newest.is_none_or(|newest| order.incarnation > newest.incarnation + 1);
        let latest = (receipt.wall + LEAD).as_microsecond();
        if is_ahead && i64::try_from(order.incarnation).is_ok_and(|run| run > latest) {
            self.violated("I3", at, format!("{name}: {order:?} is from the future, and was taken"));
        }
        if is_news && after.as_ref().and_then(|known| known.order) != Some(order) {
            self.violated("I3", at, format!("{name}: {order:?} was taken, but {after:?} is known"));
        }
        let is_left = after.as_ref().is_none_or(|known| known.state == HealthState::Left);
        if is_news && receipt.is_goodbye && !is_left {
            self.violated("I6", at, format!("{name} said goodbye, but is {after:?}"));
        }
    }

    fn logged(&mut self, at: Duration, event: &Event) {
        if event.n != self.next_event {
            self.violated("I4", at, format!("event {} comes where {} was expected", event.n, self.next_event));
        }
        self.next_event = event.n + 1;
        if let EventBody::Protection { active, .. } = event.body {
            self.protections = if active { self.protections + 1 } else { self.protections.saturating_sub(1) };
            self.protected_until = Some(at + PROMOTION);
        }
        let (Some(kind), Some(id)) = (&event.kind, &event.member) else { return };
        let name = format!("{kind}/{id}");
        let policy = self.policy_of(&name);
        let member = self.members.entry(name.clone()).or_insert_with(|| Member::new(policy, at));
        match &event.body {
            EventBody::Registered {} => {
                if let Some(state) = member.state.replace(HealthState::Healthy) {
                    self.violated("I4", at, format!("{name} is registered a second time, as {state}"));
                }
            }
            EventBody::Forgotten { .. } => {
                let known = self.members.remove(&name).and_then(|member| member.state);
                if known.is_none() {
                    self.violated("I4", at, format!("{name} is forgotten, but was not known"));
                }
                if known.is_some_and(HealthState::is_online) {
                    self.violated("I7", at, format!("{name} is forgotten, though {known:?}"));
                }
            }
            EventBody::Transition { from, to, age_ms, credited_ms, cause, .. } => {
                let change = Change {
                    from: *from,
                    to: *to,
                    age: Duration::from_millis(*age_ms),
                    credited: Duration::from_millis(*credited_ms),
                    cause: *cause,
                    incarnation: event.incarnation,
                };
                let before = member.state.replace(*to);
                if before != Some(*from) || from == to {
                    self.violated("I4", at, format!("{name} goes from {from} to {to}, but was {before:?}"));
                }
                self.changed(at, &name, &change);
            }
            _ => {}
        }
    }

    fn changed(&mut self, at: Duration, name: &str, change: &Change) {
        let Some(member) = self.members.get(name).cloned() else { return };
        let tolerance = self.rules.tick + ROUNDING;
        let is_true = [member.heard, member.heard_before].into_iter().any(|heard| {
            let (least, most) = self.blind.credit(heard, at);
            let is_age = at.saturating_sub(heard).abs_diff(change.age) <= tolerance;
            is_age && change.credited + tolerance >= least && change.credited <= most + tolerance
        });
        if !is_true {
            let what = format!(
                "{name}: {change:?} is not true: it was heard at {:?} and {:?}",
                member.heard_before, member.heard
            );
            self.violated("I2", at, what);
        }
        if change.to == HealthState::Failed {
            self.failed(at, name, &member, change);
        }
        let by_timing = !matches!(change.cause, Some(Cause::SelfReported | Cause::Stuck | Cause::Restarted));
        let is_worse = change.to > change.from && change.to != HealthState::Left;
        let age = change.age.saturating_sub(change.credited) + ROUNDING;
        if is_worse && by_timing && age < member.earliest(change.to) {
            let earliest = member.earliest(change.to);
            self.violated("I2", at, format!("{name}: {change:?}, though a beat within {earliest:?} is in time"));
        }
    }

    fn failed(&mut self, at: Duration, name: &str, member: &Member, change: &Change) {
        if change.from == HealthState::Left {
            self.violated("I6", at, format!("{name} failed after its goodbye"));
        }
        if member.left.is_some_and(|run| run == change.incarnation) {
            self.violated("I6", at, format!("{name} failed, though its run {:?} said goodbye", change.incarnation));
        }
        let age = change.age.saturating_sub(change.credited);
        let hold = self.hold_of(member, at);
        if age > member.bound() + hold + PROCESSING + ROUNDING {
            let bound = member.bound();
            self.violated(
                "I1",
                at,
                format!("{name} failed at an age of {age:?}, later than {bound:?} and {hold:?} of holds"),
            );
        }
        if at + self.rules.tick < self.started + member.earliest(HealthState::Failed) {
            self.violated("I9", at, format!("{name} failed within its deadline from the registry's start"));
        }
    }

    fn hold_of(&self, member: &Member, at: Duration) -> Duration {
        let is_protected = self.protections > 0 || self.protected_until.is_some_and(|until| at <= until);
        let hold = if member.is_held || is_protected { member.longest_hold() } else { Duration::ZERO };
        hold + member.startup_grace()
    }

    fn looked(&mut self, at: Duration, name: &str, is_held: bool) {
        let Some(member) = self.members.get_mut(name) else { return };
        member.is_held |= is_held;
        let member = member.clone();
        let (age, bound) = (self.least_virtual_age(&member, at), member.bound());
        // By the registry's own word it is held just now, or by the log all are.
        let hold = self.hold_of(&member, at);
        if age > bound + hold + PROCESSING + self.rules.tick {
            let state = member.state.map_or("unknown", HealthState::as_str);
            self.violated(
                "I1",
                at,
                format!("{name} is {state} at an age of {age:?}, beyond {bound:?} and {hold:?} of holds"),
            );
        }
    }

    fn counted(&mut self, at: Duration, stats: &MemberStats, listed: u64) {
        let sum = stats.healthy + stats.degraded + stats.critical + stats.failed + stats.left;
        if stats.total != sum || stats.total != listed {
            self.violated("I5", at, format!("{stats:?} add up to {sum}, and {listed} are listed"));
        }
        let in_state = |state| self.members.values().filter(|member| member.state == Some(state)).count() as u64;
        let logged = HealthState::ALL.iter().map(|state| in_state(*state)).collect::<Vec<_>>();
        if logged != [stats.healthy, stats.degraded, stats.critical, stats.failed, stats.left] {
            self.violated("I5", at, format!("{stats:?}, but by the log there are {logged:?}"));
        }
        if stats.total > self.rules.max_members {
            self.violated("I7", at, format!("{} members, where {} fit", stats.total, self.rules.max_members));
        }
    }

    fn settled(&mut self, at: Duration, name: &str, lives: bool, state: Option<HealthState>) {
        let has_left = self.members.get(name).is_some_and(|member| member.left.is_some());
        let is_right = match state {
            Some(HealthState::Healthy) => lives,
            Some(HealthState::Failed) => !lives && !has_left,
            Some(HealthState::Left) => !lives && has_left,
            Some(_) => false,
            None => !lives || self.members.len() as u64 >= self.rules.max_members,
        };
        if !is_right {
            let promise = if lives { "I2" } else { "I1" };
            let state = state.map_or("unknown", HealthState::as_str);
            self.violated(
                promise,
                at,
                format!("{name} is {state} in the end: alive {lives}, goodbye heard {has_left}"),
            );
        }
    }

    fn policy_of(&self, name: &str) -> Policy {
        self.rules.own_policies.get(name).unwrap_or(&self.rules.policy).clone()
    }

    fn violated(&mut self, promise: &'static str, at: Duration, what: String) {
        self.violations.push(Violation { promise, at, what });
    }
}

/// Whether it is a next beat of the run that was taken last, or of the one that takes the number after it.
fn is_proper(newest: Option<Order>, order: Option<Order>) -> bool {
    let Some((newest, order)) = newest.zip(order) else { return false };
    let is_next = order.incarnation == newest.incarnation && order.seq.saturating_sub(newest.seq) < SEQ_LEAD;
    is_next || order.incarnation == newest.incarnation + 1
}

/// A transition as it was told.
#[derive(Debug)]
struct Change {
    from: HealthState,
    to: HealthState,
    age: Duration,
    credited: Duration,
    cause: Option<Cause>,
    incarnation: Option<u64>,
}
