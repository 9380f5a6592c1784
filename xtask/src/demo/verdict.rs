//! Whether the registry was right.

use std::time::Duration;

use heartbeat_contract::{Cause, HealthState};

use super::record::Deed;
use super::sighting::{Mark, Sightings};
use crate::outcome::Outcome;

const FAILED: Mark = Mark::Entered(HealthState::Failed);

/// What should be told of a member, by what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// In this order. Other marks may stand between them, as far as they are tolerated.
    pub(super) order: Vec<Mark>,
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

    fn and_then(mut self, deed: Deed) -> Self {
        let entered = Mark::Entered;
        match deed {
            Deed::Killed | Deed::Stopped => {
                let worse = [HealthState::Degraded, HealthState::Critical, HealthState::Failed];
                self.order.extend(worse.map(entered));
                (self.state, self.cause) = (HealthState::Failed, Some(Cause::Silent));
            }
            Deed::Continued => {
                self.order.push(entered(HealthState::Healthy));
                (self.state, self.cause) = (HealthState::Healthy, None);
            }
            Deed::AskedToLeave => {
                self.order.push(entered(HealthState::Left));
                (self.state, self.cause) = (HealthState::Left, None);
            }
            // Back before anyone could take it for failed.
            Deed::StartedAgain => {
                self = Self { order: vec![Mark::Restarted], state: HealthState::Healthy, cause: None, run: Run::New };
            }
        }
        self
    }

    /// Why a member is to fail on the way, if it is.
    fn failed_because(&self) -> Option<Cause> {
        self.order.contains(&FAILED).then_some(Cause::Silent)
    }

    /// Whether a member is where it should end up, or only just late.
    pub(super) fn is_met_by(&self, state: HealthState) -> bool {
        state == self.state || (self.state == HealthState::Healthy && state == HealthState::Degraded)
    }

    /// Everything that differs, in words.
    pub(super) fn complaints(&self, seen: &Sightings, end: End) -> Vec<String> {
        let mut complaints = Vec::new();
        let sorted = self.sort(&seen.marks);
        if let Some(missing) = sorted.missing {
            complaints.push(format!("never {missing}, or not in this order"));
        }
        let extra = sorted.unexplained();
        complaints.extend(extra.map(|mark| format!("{mark}, though nothing was done that brings it about")));
        if let Some(because) = self.failed_because().filter(|_| seen.saw(FAILED))
            && seen.failed_because != Some(because)
        {
            let told = seen.failed_because.map_or("none", Cause::as_str);
            complaints.push(format!("cause {told} told when it failed, not {because}"));
        }
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

    /// Finds the expected marks in their order among those seen.
    pub(super) fn sort(&self, marks: &[Mark]) -> Sorted {
        let mut expected = self.order.iter().copied().peekable();
        let marks = marks.iter().map(|mark| (*mark, expected.next_if_eq(mark).is_some())).collect();
        Sorted { marks, missing: expected.next() }
    }
}

/// Seen marks held against the expected ones.
pub(super) struct Sorted {
    /// Those seen, and whether each is an expected one in its place.
    pub(super) marks: Vec<(Mark, bool)>,
    /// The first that is expected and was not seen in its place.
    pub(super) missing: Option<Mark>,
}

impl Sorted {
    /// Those that nothing brings about. A beat may be late on a busy machine, and so may a restart.
    fn unexplained(&self) -> impl Iterator<Item = Mark> {
        let next = self.marks.iter().skip(1).map(Some).chain([None]);
        let unexplained = self.marks.iter().zip(next).filter(|((mark, is_expected), next)| match mark {
            _ if *is_expected => false,
            Mark::Entered(HealthState::Healthy | HealthState::Degraded) => false,
            Mark::Entered(HealthState::Critical) => *next != Some(&(Mark::Restarted, true)),
            _ => true,
        });
        unexplained.map(|((mark, _), _)| *mark)
    }
}

/// How many members are not as expected.
#[derive(Debug)]
#[must_use]
pub(super) struct Verdict {
    pub(super) differing: usize,
}

impl Verdict {
    pub(super) fn into_outcome(self) -> Outcome {
        match self.differing {
            0 => Ok(()),
            1 => Err("one member is not as expected".into()),
            count => Err(format!("{count} members are not as expected").into()),
        }
    }
}

/// A state with its cause: `failed (silent)`.
fn in_words(state: HealthState, cause: Option<Cause>) -> String {
    cause.map_or_else(|| state.to_string(), |cause| format!("{state} ({cause})"))
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use HealthState::{Critical, Degraded, Failed, Healthy, Left};

    use super::super::sighting::Lateness;
    use super::super::sighting::tests::sightings;
    use super::*;

    fn entered(states: &[HealthState]) -> Vec<Mark> {
        states.iter().copied().map(Mark::Entered).collect()
    }

    fn end(state: HealthState) -> End {
        End { state, cause: (state == Failed).then_some(Cause::Silent), incarnation: Some(1) }
    }

    fn complaints(deeds: &[Deed], marks: &[Mark], end: End) -> Vec<String> {
        Expected::after(deeds).complaints(&sightings(marks), end)
    }

    #[test]
    fn each_deed_has_its_verdict() {
        let fine = [
            (vec![], entered(&[]), end(Healthy)),
            (vec![Deed::Killed], entered(&[Degraded, Critical, Failed]), end(Failed)),
            (vec![Deed::Stopped, Deed::Continued], entered(&[Degraded, Critical, Failed, Healthy]), end(Healthy)),
            (vec![Deed::AskedToLeave], entered(&[Left]), end(Left)),
            (
                vec![Deed::Killed, Deed::StartedAgain],
                vec![Mark::Restarted],
                End { incarnation: Some(2), ..end(Healthy) },
            ),
        ];
        for (deeds, marks, end) in fine {
            assert_eq!(complaints(&deeds, &marks, end), [""; 0], "{deeds:?}");
        }
    }

    #[test]
    fn a_late_beat_on_a_busy_machine_is_tolerated() {
        assert!(complaints(&[], &entered(&[Degraded, Healthy, Degraded]), end(Degraded)).is_empty());
        let marks = entered(&[Degraded, Healthy, Degraded, Critical, Failed]);
        assert!(complaints(&[Deed::Killed], &marks, end(Failed)).is_empty());
    }

    #[test]
    fn an_untouched_member_that_is_critical_or_failed_differs() {
        assert_eq!(complaints(&[], &entered(&[Degraded, Critical, Healthy]), end(Healthy)).len(), 1);
        assert_eq!(complaints(&[], &entered(&[Degraded, Critical, Failed]), end(Failed)).len(), 3);
    }

    #[test]
    fn a_death_that_nobody_noticed_differs() {
        let found = complaints(&[Deed::Killed], &[], end(Healthy));
        assert_eq!(found, ["never degraded, or not in this order", "healthy in the end, not failed (silent)"]);
    }

    #[test]
    fn a_failure_without_the_steps_before_it_differs() {
        assert!(!complaints(&[Deed::Killed], &entered(&[Failed]), end(Failed)).is_empty());
    }

    #[test]
    fn a_dead_member_that_recovers_differs() {
        let marks = entered(&[Degraded, Critical, Failed, Healthy]);
        assert_eq!(complaints(&[Deed::Killed], &marks, end(Healthy)), ["healthy in the end, not failed (silent)"]);
    }

    #[test]
    fn a_restart_taken_for_a_failure_or_not_noticed_differs() {
        let deeds = [Deed::Killed, Deed::StartedAgain];
        let new_run = End { incarnation: Some(2), ..end(Healthy) };
        let mut marks = entered(&[Degraded, Critical, Failed]);
        marks.push(Mark::Restarted);
        let unexplained = |mark| format!("{mark}, though nothing was done that brings it about");
        assert_eq!(complaints(&deeds, &marks, new_run), [unexplained(Critical), unexplained(Failed)]);
        let found = complaints(&deeds, &[], end(Healthy));
        assert_eq!(found, ["never restarted, or not in this order", "same run in the end, not new"]);
    }

    #[test]
    fn a_restarted_member_may_be_critical_just_before_it_is_back_and_never_else() {
        let found = |before: &[HealthState], after: &[HealthState]| {
            let marks = [entered(before), vec![Mark::Restarted], entered(after)].concat();
            complaints(&[Deed::Killed, Deed::StartedAgain], &marks, End { incarnation: Some(2), ..end(Healthy) })
        };
        assert_eq!(found(&[Degraded, Critical], &[Healthy, Degraded, Healthy]), [""; 0]);
        assert_eq!(found(&[Degraded, Critical, Healthy], &[]).len(), 1);
        assert_eq!(found(&[], &[Degraded, Critical, Healthy]).len(), 1);
    }

    #[test]
    fn a_wrong_cause_differs() {
        let marks = entered(&[Degraded, Critical, Failed]);
        let hung = End { cause: Some(Cause::Hung), ..end(Failed) };
        assert_eq!(complaints(&[Deed::Killed], &marks, hung), ["failed (hung) in the end, not failed (silent)"]);
        let blamed = End { cause: Some(Cause::SelfReported), ..end(Healthy) };
        assert_eq!(complaints(&[], &[], blamed), ["healthy (self_reported) in the end, not healthy"]);
        let late = End { cause: Some(Cause::Silent), ..end(Degraded) };
        assert_eq!(complaints(&[], &entered(&[Degraded]), late), [""; 0]);
    }

    #[test]
    fn a_wrong_cause_on_the_way_differs_though_the_member_is_back() {
        let told = |cause| {
            let seen = sightings(&entered(&[Degraded, Critical, Failed, Healthy]));
            let seen = Sightings { failed_because: cause, ..seen };
            Expected::after(&[Deed::Stopped, Deed::Continued]).complaints(&seen, end(Healthy))
        };
        assert_eq!(told(Some(Cause::Silent)), [""; 0]);
        assert_eq!(told(Some(Cause::Hung)), ["cause hung told when it failed, not silent"]);
        assert_eq!(told(None), ["cause none told when it failed, not silent"]);
    }

    #[test]
    fn a_verdict_beyond_its_bound_differs() {
        let (age, bound) = (Duration::from_millis(3_252), Duration::from_millis(3_250));
        let late = vec![Lateness { state: Failed, age, bound }];
        let seen = Sightings { late, ..sightings(&entered(&[Degraded, Critical, Failed])) };
        let found = Expected::after(&[Deed::Killed]).complaints(&seen, end(Failed));
        assert_eq!(found, ["failed at 3.252 s, published bound 3.250 s"]);
    }
}
