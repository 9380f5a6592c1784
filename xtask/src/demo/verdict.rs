//! Whether the registry was right.

use std::time::Duration;

use heartbeat_contract::{Cause, HealthState};

use super::record::Deed;
use super::sighting::{Mark, Sightings, Told};
use crate::outcome::Outcome;

/// What should be told of a member, by what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// In this order, each for this cause. Others may stand between them, as far as they are tolerated.
    pub(super) order: Vec<Told>,
    pub(super) state: HealthState,
    pub(super) cause: Option<Cause>,
    pub(super) run: Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    Same,
    New,
}

/// How a member ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) state: HealthState,
    pub(super) cause: Option<Cause>,
    pub(super) incarnation: Option<u64>,
}

impl Expected {
    pub(super) fn after(deeds: &[Deed]) -> Self {
        let untouched = Self { order: Vec::new(), state: HealthState::Healthy, cause: None, run: Run::Same };
        deeds.iter().fold(untouched, |before, deed| before.and_then(*deed))
    }

    fn and_then(self, deed: Deed) -> Self {
        match deed {
            Deed::Killed => self.fails(Cause::ProcessDead),
            Deed::Stopped => self.fails(Cause::Hung),
            Deed::CutOff => self.fails(Cause::Network),
            Deed::WorkHangs => self.enters(HealthState::Critical, Some(Cause::Stuck)),
            Deed::Continued | Deed::Mended | Deed::WorkGoesOn => self.enters(HealthState::Healthy, None),
            Deed::AskedToLeave => self.enters(HealthState::Left, None),
            // Back before anyone could take it for failed.
            Deed::StartedAgain => {
                let order = vec![Told::just(Mark::Restarted)];
                Self { order, state: HealthState::Healthy, cause: None, run: Run::New }
            }
        }
    }

    /// Grows later and later. Why is found out on the way from critical to failed.
    fn fails(self, cause: Cause) -> Self {
        let late = [HealthState::Degraded, HealthState::Critical];
        let late = late.into_iter().fold(self, |before, state| before.enters(state, Some(Cause::Silent)));
        late.enters(HealthState::Failed, Some(cause))
    }

    fn enters(mut self, state: HealthState, cause: Option<Cause>) -> Self {
        self.order.push(Told::entered(state, cause));
        Self { state, cause, ..self }
    }

    /// How it should end.
    pub(super) fn end(&self) -> Told {
        Told::entered(self.state, self.cause)
    }

    /// Whether a member is where it should end up, or only just late.
    pub(super) fn is_met_by(&self, state: HealthState) -> bool {
        state == self.state || (self.state == HealthState::Healthy && state == HealthState::Degraded)
    }

    /// Everything that differs, in words.
    pub(super) fn complaints(&self, seen: &Sightings, end: End) -> Vec<String> {
        let mut complaints = Vec::new();
        let sorted = self.sort(&seen.told);
        if let Some(missing) = sorted.missing {
            complaints.push(format!("never {}, or not in this order", missing.mark));
        }
        let extra = sorted.unexplained();
        complaints.extend(extra.map(|told| format!("{}, though nothing was done that brings it about", told.mark)));
        complaints.extend(sorted.mistaken().map(|(told, expected)| format!("told as {told}, not as {expected}")));
        let is_explained = end.state == HealthState::Degraded || end.cause == self.cause;
        if !self.is_met_by(end.state) || !is_explained {
            let (ended, expected) = (in_words(end.state, end.cause), in_words(self.state, self.cause));
            complaints.push(format!("{ended} in the end, not {expected}"));
        }
        let run = if end.incarnation == seen.first_incarnation { Run::Same } else { Run::New };
        if run != self.run {
            complaints.push(format!("{run:?} run in the end, not {:?}", self.run).to_lowercase());
        }
        let wrong = seen.late.iter().filter(|late| !late.is_as_published());
        complaints.extend(wrong.map(|late| {
            let (age, bound) = (seconds(late.age), seconds(late.bound));
            format!("{} at {age}, published bound {bound}", late.state)
        }));
        complaints
    }

    /// Finds what is expected, in its order, among what was told. A wrong cause does not keep it from being found.
    pub(super) fn sort(&self, told: &[Told]) -> Sorted {
        let mut expected = self.order.iter().copied().peekable();
        let told = told.iter().map(|told| (*told, expected.next_if(|expected| expected.mark == told.mark))).collect();
        Sorted { told, missing: expected.next() }
    }
}

/// What was told, held against what is expected.
pub(super) struct Sorted {
    /// Each with what is expected in its place, if that is what it is.
    pub(super) told: Vec<(Told, Option<Told>)>,
    /// The first that is expected and was not told in its place.
    pub(super) missing: Option<Told>,
}

impl Sorted {
    /// What nothing brings about. A beat may be late on a busy machine, and so may a restart.
    fn unexplained(&self) -> impl Iterator<Item = Told> {
        let next = self.told.iter().skip(1).map(Some).chain([None]);
        let is_late_restart =
            |next: Option<&(Told, Option<Told>)>| next.is_some_and(|(next, _)| next.mark == Mark::Restarted);
        let unexplained = self.told.iter().zip(next).filter(move |((told, expected), next)| match told.mark {
            _ if expected.is_some() => false,
            Mark::Entered(HealthState::Healthy | HealthState::Degraded) => false,
            Mark::Entered(HealthState::Critical) => !is_late_restart(*next),
            _ => true,
        });
        unexplained.map(|((told, _), _)| *told)
    }

    /// What was told as expected, but for another cause, beside what is expected.
    fn mistaken(&self) -> impl Iterator<Item = (Told, Told)> {
        let pairs = self.told.iter().filter_map(|(told, expected)| Some((*told, (*expected)?)));
        pairs.filter(|(told, expected)| told.cause != expected.cause)
    }
}

/// How many members are not as expected.
#[derive(Debug)]
#[must_use]
pub(super) struct Verdict {
    pub(super) differing: usize,
    /// How many alarms were given that are about no member.
    pub(super) false_alarms: usize,
}

impl Verdict {
    pub(super) fn into_outcome(self) -> Outcome {
        match self.differing {
            0 if self.false_alarms > 0 => Err("there was a false alarm".into()),
            0 => Ok(()),
            1 => Err("one member is not as expected".into()),
            count => Err(format!("{count} members are not as expected").into()),
        }
    }
}

/// A state with its cause: `failed (hung)`.
fn in_words(state: HealthState, cause: Option<Cause>) -> String {
    Told::entered(state, cause).to_string()
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

#[cfg(test)]
pub(super) mod tests {
    use HealthState::{Critical, Degraded, Failed, Healthy, Left};

    use super::super::sighting::Lateness;
    use super::super::sighting::tests::sightings;
    use super::*;

    /// What is told of a member that goes through some states, worse ones for being silent.
    pub(in super::super) fn entered(states: &[HealthState]) -> Vec<Told> {
        let cause = |state| matches!(state, Degraded | Critical | Failed).then_some(Cause::Silent);
        states.iter().map(|state| Told::entered(*state, cause(*state))).collect()
    }

    /// What is told of a member that fails, and what then.
    pub(in super::super) fn failing(cause: Cause, then: &[HealthState]) -> Vec<Told> {
        [entered(&[Degraded, Critical]), vec![Told::entered(Failed, cause)], entered(then)].concat()
    }

    fn restarted() -> Vec<Told> {
        vec![Told::just(Mark::Restarted)]
    }

    fn end(state: HealthState, cause: impl Into<Option<Cause>>) -> End {
        End { state, cause: cause.into(), incarnation: Some(1) }
    }

    fn healthy() -> End {
        end(Healthy, None)
    }

    fn dead() -> End {
        end(Failed, Cause::ProcessDead)
    }

    fn complaints(deeds: &[Deed], told: &[Told], end: End) -> Vec<String> {
        Expected::after(deeds).complaints(&sightings(told), end)
    }

    #[test]
    fn each_deed_has_its_verdict() {
        let stuck = Told::entered(Critical, Cause::Stuck);
        let fine = [
            (vec![], vec![], healthy()),
            (vec![Deed::Killed], failing(Cause::ProcessDead, &[]), dead()),
            (vec![Deed::Stopped], failing(Cause::Hung, &[]), end(Failed, Cause::Hung)),
            (vec![Deed::Stopped, Deed::Continued], failing(Cause::Hung, &[Healthy]), healthy()),
            (vec![Deed::CutOff], failing(Cause::Network, &[]), end(Failed, Cause::Network)),
            (vec![Deed::CutOff, Deed::Mended], failing(Cause::Network, &[Healthy]), healthy()),
            (vec![Deed::WorkHangs], vec![stuck], end(Critical, Cause::Stuck)),
            (vec![Deed::WorkHangs, Deed::WorkGoesOn], [vec![stuck], entered(&[Healthy])].concat(), healthy()),
            (vec![Deed::AskedToLeave], entered(&[Left]), end(Left, None)),
            (vec![Deed::Killed, Deed::StartedAgain], restarted(), End { incarnation: Some(2), ..healthy() }),
        ];
        for (deeds, told, end) in fine {
            assert_eq!(complaints(&deeds, &told, end), [""; 0], "{deeds:?}");
        }
    }

    #[test]
    fn each_cause_is_taken_for_no_other() {
        let causes = [(Deed::Killed, Cause::ProcessDead), (Deed::Stopped, Cause::Hung), (Deed::CutOff, Cause::Network)];
        for (deed, right) in causes {
            for wrong in [Cause::Silent, Cause::ProcessDead, Cause::Hung, Cause::Network, Cause::HostDown] {
                let found = complaints(&[deed], &failing(wrong, &[]), end(Failed, wrong));
                assert_eq!(found.is_empty(), wrong == right, "{deed} {wrong}");
            }
        }
        let late = entered(&[Degraded, Critical]);
        let found = complaints(&[Deed::WorkHangs], &late, end(Critical, Cause::Silent));
        assert_eq!(
            found,
            [
                "told as critical (silent), not as critical (stuck)",
                "critical (silent) in the end, not critical (stuck)"
            ]
        );
    }

    #[test]
    fn a_late_beat_on_a_busy_machine_is_tolerated() {
        assert!(complaints(&[], &entered(&[Degraded, Healthy, Degraded]), end(Degraded, Cause::Silent)).is_empty());
        let told = [entered(&[Degraded, Healthy]), failing(Cause::ProcessDead, &[])].concat();
        assert!(complaints(&[Deed::Killed], &told, dead()).is_empty());
    }

    #[test]
    fn an_untouched_member_that_is_critical_or_failed_differs() {
        assert_eq!(complaints(&[], &entered(&[Degraded, Critical, Healthy]), healthy()).len(), 1);
        assert_eq!(complaints(&[], &failing(Cause::Silent, &[]), end(Failed, Cause::Silent)).len(), 3);
    }

    #[test]
    fn a_death_that_nobody_noticed_differs() {
        let found = complaints(&[Deed::Killed], &[], healthy());
        assert_eq!(found, ["never degraded, or not in this order", "healthy in the end, not failed (process_dead)"]);
    }

    #[test]
    fn a_failure_without_the_steps_before_it_differs() {
        assert!(!complaints(&[Deed::Killed], &[Told::entered(Failed, Cause::ProcessDead)], dead()).is_empty());
    }

    #[test]
    fn a_dead_member_that_recovers_differs() {
        let found = complaints(&[Deed::Killed], &failing(Cause::ProcessDead, &[Healthy]), healthy());
        assert_eq!(found, ["healthy in the end, not failed (process_dead)"]);
    }

    #[test]
    fn a_restart_taken_for_a_failure_or_not_noticed_differs() {
        let deeds = [Deed::Killed, Deed::StartedAgain];
        let new_run = End { incarnation: Some(2), ..healthy() };
        let told = [failing(Cause::ProcessDead, &[]), restarted()].concat();
        let unexplained = |mark| format!("{mark}, though nothing was done that brings it about");
        assert_eq!(complaints(&deeds, &told, new_run), [unexplained(Critical), unexplained(Failed)]);
        let found = complaints(&deeds, &[], healthy());
        assert_eq!(found, ["never restarted, or not in this order", "same run in the end, not new"]);
    }

    #[test]
    fn a_restarted_member_may_be_critical_just_before_it_is_back_and_never_else() {
        let found = |before: &[HealthState], after: &[HealthState]| {
            let told = [entered(before), restarted(), entered(after)].concat();
            complaints(&[Deed::Killed, Deed::StartedAgain], &told, End { incarnation: Some(2), ..healthy() })
        };
        assert_eq!(found(&[Degraded, Critical], &[Healthy, Degraded, Healthy]), [""; 0]);
        assert_eq!(found(&[Degraded, Critical, Healthy], &[]).len(), 1);
        assert_eq!(found(&[], &[Degraded, Critical, Healthy]).len(), 1);
    }

    #[test]
    fn a_wrong_cause_in_the_end_differs() {
        let told = failing(Cause::ProcessDead, &[]);
        let hung = complaints(&[Deed::Killed], &told, end(Failed, Cause::Hung));
        assert_eq!(hung, ["failed (hung) in the end, not failed (process_dead)"]);
        let blamed = complaints(&[], &[], end(Healthy, Cause::SelfReported));
        assert_eq!(blamed, ["healthy (self_reported) in the end, not healthy"]);
        assert_eq!(complaints(&[], &entered(&[Degraded]), end(Degraded, Cause::Silent)), [""; 0]);
    }

    #[test]
    fn a_wrong_cause_on_the_way_differs_though_the_member_is_back() {
        let found = |told: &[Told]| complaints(&[Deed::Stopped, Deed::Continued], told, healthy());
        assert_eq!(found(&failing(Cause::Hung, &[Healthy])), [""; 0]);
        let silent = failing(Cause::Silent, &[Healthy]);
        assert_eq!(found(&silent), ["told as failed (silent), not as failed (hung)"]);
        let none = [entered(&[Degraded, Critical]), vec![Told::entered(Failed, None)], entered(&[Healthy])].concat();
        assert_eq!(found(&none), ["told as failed, not as failed (hung)"]);
    }

    #[test]
    fn a_verdict_beyond_its_bound_differs() {
        let (age, bound) = (Duration::from_millis(3_252), Duration::from_millis(3_250));
        let late = vec![Lateness { state: Failed, age, bound }];
        let seen = Sightings { late, ..sightings(&failing(Cause::ProcessDead, &[])) };
        let found = Expected::after(&[Deed::Killed]).complaints(&seen, dead());
        assert_eq!(found, ["failed at 3.252 s, published bound 3.250 s"]);
    }

    #[test]
    fn a_false_alarm_spoils_the_verdict() {
        let outcome = |differing, false_alarms| Verdict { differing, false_alarms }.into_outcome().is_ok();
        assert_eq!([outcome(0, 0), outcome(1, 0), outcome(0, 1)], [true, false, false]);
    }
}
