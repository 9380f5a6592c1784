//! From what is known of a member to its state, and the sweep that does so for those that are due.

use heartbeat_contract::{Cause, EventBody, ForgetReason, HealthState};
use jiff::Timestamp;

use super::fate::Notices;
use super::hold::Hold;
use super::member::{Cold, Hot};
use super::now::{Now, micros};
use super::table::{Defaults, Fact, Table};

/// The state a member is in, and when that may change by itself, in virtual microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judgement {
    state: HealthState,
    due: u64,
}

/// The worst of what timing and the member itself say; only timing makes failed, and only once a sweep has seen it: until
/// then a member that is due to fail stays what it is.
fn judge(hot: &Hot, cold: &Cold, defaults: &Defaults, now: &Now) -> Judgement {
    let (edges, age) = (hot.edges(), hot.age(now));
    let by_age = edges.state(age);
    let hold = if by_age == HealthState::Failed { Hold::on(hot, cold, now.at) } else { None };
    let (by_age, due) = match (hold, edges.next(age)) {
        (Some(hold), _) => (HealthState::Critical, hold.until),
        (None, Some(next)) => (by_age, hot.heard + next),
        (None, None) if hot.state == HealthState::Failed => {
            (by_age, cold.state_since.saturating_add(micros(defaults.forget_failed_after)))
        }
        (None, None) => (hot.state, now.at),
    };
    let by_itself = HealthState::from(hot.report).max(cold.state_by_work()).max(cold.state_by_end());
    Judgement { state: by_age.max(hot.floor).max(by_itself), due }
}

/// Why a member is in its state, and what speaks for it.
pub(crate) fn explain(state: HealthState, hot: &Hot, cold: &Cold, now: &Now) -> (Option<Cause>, Vec<String>) {
    let silence = || {
        let seconds = |micros: u64| {
            let seconds = micros as f64 / 1e6;
            format!("{seconds:.1} s")
        };
        let expected = seconds(hot.interval());
        format!("no beat for {}, expected every {expected}", seconds(hot.silence(now)))
    };
    if matches!(state, HealthState::Healthy | HealthState::Left) {
        return (None, Vec::new());
    }
    let by_age = hot.by_age(now);
    if let Some(end) = cold.decisive_end(by_age) {
        return (Some(end.cause()), vec![end.words.clone()]);
    }
    if let Some(work) = cold.decisive_work(hot, by_age) {
        return (Some(Cause::Stuck), vec![work.evidence()]);
    }
    if HealthState::from(hot.report) > by_age.max(hot.floor) {
        return (Some(Cause::SelfReported), vec![format!("calls itself {}", hot.report)]);
    }
    if !hot.has_beaten() {
        return (Some(Cause::NeverSeen), vec![silence()]);
    }
    if by_age < hot.floor {
        let evidence = format!("{} of {} beats in a row since it was late", hot.recovered, cold.policy.recover_after);
        return (Some(Cause::Silent), vec![evidence]);
    }
    let mut evidence = vec![silence()];
    evidence.extend(cold.finding.as_ref().map(|finding| finding.words.clone()));
    let cause = cold.finding.as_ref().map_or(Cause::Silent, |finding| finding.cause());
    let Some(event) = cold.group else { return (Some(cause), evidence) };
    evidence.push(format!("all members on its host {} fell silent (event {event})", cold.host_key()));
    (Some(Cause::HostDown), evidence)
}

/// Why a member is healthy again, if its beat tells more than that it lives.
pub(super) type Recovery = (Option<Cause>, String);

/// How long a member was silent, before whatever happened now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    pub(super) age_ms: u64,
    pub(super) credited_ms: u64,
    /// When the last beat came, by the wall clock; `None` if none ever did.
    pub(super) last_seen: Option<Timestamp>,
}

impl Silence {
    /// That of a member whose first beat has just come.
    pub(super) const fn none() -> Self {
        Self { age_ms: 0, credited_ms: 0, last_seen: None }
    }

    pub(super) fn of(hot: &Hot, cold: &Cold, now: &Now) -> Self {
        let (age_ms, credited_ms) = (hot.silence(now) / 1000, hot.credited_ms(now));
        Self { age_ms, credited_ms, last_seen: cold.last_seen }
    }
}

impl Table {
    /// Looks at every member that is due, adds what happened to `facts`, and tells when to be called again. Who is due to
    /// fail is noticed, to be [concluded](Self::conclude) at the same moment.
    pub(crate) fn sweep(&mut self, now: &Now, facts: &mut Vec<Fact>, notices: &mut Notices) -> Option<u64> {
        while let Some(slot) = self.wheel.pop(&mut self.hot, now.at) {
            #[cfg(test)]
            assert!(!std::mem::take(&mut self.panics_next), "a test asked for it");
            if self.is_forgotten_by(slot, now) {
                facts.extend(self.forget(slot, ForgetReason::Expired, now));
                continue;
            }
            if self.becomes_suspect(slot, now) {
                notices.suspects.push(self.noticed(slot));
            }
            if self.is_doomed(slot, now) {
                notices.doomed.push(self.noticed(slot));
            } else {
                self.review(slot, now, facts);
            }
        }
        self.wheel.next_due()
    }

    /// Judges a member as it stands, logs a change, and arms its next deadline, which is returned.
    pub(super) fn review(&mut self, slot: u32, now: &Now, facts: &mut Vec<Fact>) -> u64 {
        let (hot, cold) = self.both(slot);
        if hot.state == HealthState::Left {
            let due = cold.state_since.saturating_add(micros(self.defaults.forget_left_after));
            let due = self.settle_flapping(slot, now, facts).map_or(due, |settles| settles.min(due));
            self.wheel.arm(&mut self.hot, slot, due);
            return due;
        }
        let silence = Silence::of(hot, cold, now);
        self.settle(slot, silence, None, now, facts)
    }

    /// Judges a member that lives, with the silence and the cause to tell if its state changes.
    pub(super) fn settle(
        &mut self,
        slot: u32,
        silence: Silence,
        recovery: Option<Recovery>,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) -> u64 {
        self.void_lapsed(slot, now, facts);
        let (hot, cold) = self.get(slot).expect("slots in the index and the wheel are taken");
        let Judgement { state, due } = judge(hot, cold, &self.defaults, now);
        if state != hot.state {
            let why = match recovery {
                Some((cause, evidence)) if state == HealthState::Healthy => (cause, vec![evidence]),
                _ => explain(state, hot, cold, now),
            };
            self.transit(slot, state, silence, why, now, facts);
        }
        let lapse = self.get(slot).and_then(|(_, cold)| cold.asked.next_lapse());
        let settles = self.settle_flapping(slot, now, facts);
        let due = [lapse, settles].into_iter().flatten().fold(due, u64::min);
        self.wheel.arm(&mut self.hot, slot, due);
        due
    }

    /// Changes the state of a member and logs that.
    pub(super) fn transit(
        &mut self,
        slot: u32,
        to: HealthState,
        silence: Silence,
        (cause, evidence): (Option<Cause>, Vec<String>),
        now: &Now,
        facts: &mut Vec<Fact>,
    ) {
        let from = self.hot[slot as usize].state;
        self.enter(slot, to, now);
        let (_, cold) = self.both(slot);
        cold.group.take_if(|_| to != HealthState::Failed);
        let (group, gone_from) = (cold.group, if to == HealthState::Left { cold.host.take() } else { None });
        let Silence { age_ms, credited_ms, last_seen } = silence;
        let body = EventBody::Transition { from, to, age_ms, credited_ms, last_seen, cause, evidence, group };
        facts.push(Fact { gone_from, ..self.fact(slot, body) });
        self.count_flap(slot, from, to, now, facts);
        if !to.is_online() {
            self.void_all(slot, facts);
        }
    }

    /// Whether a member that left or failed has been kept long enough.
    fn is_forgotten_by(&self, slot: u32, now: &Now) -> bool {
        let Some((hot, cold)) = self.get(slot) else { return false };
        let kept = now.at.saturating_sub(cold.state_since);
        match hot.state {
            HealthState::Left => kept >= micros(self.defaults.forget_left_after),
            HealthState::Failed => {
                hot.by_age(now) == HealthState::Failed && kept >= micros(self.defaults.forget_failed_after)
            }
            _ => false,
        }
    }
}
