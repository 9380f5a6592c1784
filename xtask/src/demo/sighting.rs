//! What the registry told of its members.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, HealthState, MemberView, ResolvedPolicy};

/// One thing that the registry told of a member, after it had joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Entered(HealthState),
    Restarted,
    /// A run was refused for being older than another, or a member was forgotten: nothing the script brings about.
    Unforeseen,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entered(state) => f.pad(state.as_str()),
            Self::Restarted => f.pad("restarted"),
            Self::Unforeseen => f.pad("unforeseen"),
        }
    }
}

/// A change to a worse state by silence: how long that was, as the registry judges, and the published bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lateness {
    pub(super) state: HealthState,
    pub(super) age: Duration,
    pub(super) bound: Duration,
}

impl Lateness {
    /// What processing may add.
    const PROCESSING: Duration = Duration::from_millis(1);

    /// Neither before the deadline nor after the bound.
    pub(super) fn is_as_published(self) -> bool {
        (self.bound..=self.bound + Self::PROCESSING).contains(&self.age)
    }
}

/// Everything told of one member.
#[derive(Clone, Debug)]
pub(super) struct Sightings {
    pub(super) policy: ResolvedPolicy,
    pub(super) first_incarnation: Option<u64>,
    pub(super) marks: Vec<Mark>,
    pub(super) late: Vec<Lateness>,
    pub(super) failed_because: Option<Cause>,
}

impl Sightings {
    /// Those of a member that has just joined.
    pub(super) fn begin(view: &MemberView) -> Self {
        Self {
            policy: view.policy.clone(),
            first_incarnation: view.incarnation,
            marks: Vec::new(),
            late: Vec::new(),
            failed_because: None,
        }
    }

    /// Adds what an event tells.
    pub(super) fn add(&mut self, event: &Event) {
        match &event.body {
            EventBody::Transition { to, cause, .. } => {
                self.marks.push(Mark::Entered(*to));
                self.late.extend(self.lateness(event));
                if *to == HealthState::Failed {
                    self.failed_because = *cause;
                }
            }
            EventBody::Restarted { .. } => self.marks.push(Mark::Restarted),
            EventBody::Superseded { .. } | EventBody::Forgotten { .. } => self.marks.push(Mark::Unforeseen),
            _ => {}
        }
    }

    /// How late the member was, if it changed to a worse state for being late.
    pub(super) fn lateness(&self, event: &Event) -> Option<Lateness> {
        let EventBody::Transition { from, to, age_ms, credited_ms, cause, .. } = &event.body else { return None };
        let bound = match to {
            HealthState::Degraded => self.policy.degraded_after(),
            HealthState::Critical => self.policy.critical_after(),
            HealthState::Failed => self.policy.failed_after(),
            HealthState::Healthy | HealthState::Left => return None,
        };
        let age = Duration::from_millis(age_ms.saturating_sub(*credited_ms));
        let by_silence = matches!(cause, Some(Cause::Silent | Cause::NeverSeen));
        (by_silence && from < to).then_some(Lateness { state: *to, age, bound })
    }

    pub(super) fn saw(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// The state it entered last.
    pub(super) fn state(&self) -> HealthState {
        let entered = self.marks.iter().rev().find_map(|mark| match mark {
            Mark::Entered(state) => Some(*state),
            Mark::Restarted | Mark::Unforeseen => None,
        });
        entered.unwrap_or(HealthState::Healthy)
    }
}

/// Everything told of everyone, by id: ids are unique across the kinds of the demo.
pub(super) type Fleet = BTreeMap<String, Sightings>;

#[cfg(test)]
pub(super) mod tests {
    use heartbeat_contract::Policy;

    use super::*;

    /// A member that joined and then went through some marks, always exactly when its policy says.
    pub(in super::super) fn sightings(marks: &[Mark]) -> Sightings {
        let policy = Policy::default().at(Duration::from_secs(1));
        let failed = marks.contains(&Mark::Entered(HealthState::Failed));
        Sightings {
            first_incarnation: Some(1),
            marks: marks.to_vec(),
            late: Vec::new(),
            failed_because: failed.then_some(Cause::Silent),
            policy,
        }
    }

    fn transition(from: &str, to: &str, age_ms: u64, credited_ms: u64) -> Event {
        because("silent", from, to, age_ms, credited_ms)
    }

    fn because(cause: &str, from: &str, to: &str, age_ms: u64, credited_ms: u64) -> Event {
        let json = serde_json::json!({
            "id": "a-1", "n": 1, "at": "2026-01-02T03:05:40Z", "type": "transition", "kind": "worker", "member": "a",
            "from": from, "to": to, "age_ms": age_ms, "credited_ms": credited_ms, "cause": cause, "evidence": [],
            "group": null,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn lateness_is_the_age_less_what_is_credited_beside_the_bound_of_the_policy() {
        let lateness = sightings(&[]).lateness(&transition("critical", "failed", 4_000, 750)).unwrap();
        assert_eq!((lateness.age, lateness.bound), (Duration::from_millis(3_250), Duration::from_millis(3_250)));
        assert!(lateness.is_as_published());
    }

    #[test]
    fn a_verdict_too_early_or_too_late_is_not_as_published() {
        for (age, as_published) in [(3_249, false), (3_250, true), (3_251, true), (3_252, false)] {
            let lateness = sightings(&[]).lateness(&transition("critical", "failed", age, 0)).unwrap();
            assert_eq!(lateness.is_as_published(), as_published, "{age}");
        }
    }

    #[test]
    fn a_verdict_for_anything_but_silence_has_no_bound_to_keep() {
        let mut seen = sightings(&[]);
        seen.add(&because("self_reported", "healthy", "critical", 300, 0));
        assert_eq!(seen.marks, [Mark::Entered(HealthState::Critical)]);
        assert_eq!(seen.late, []);
        let never_seen = seen.lateness(&because("never_seen", "healthy", "degraded", 1_250, 0)).unwrap();
        assert!(never_seen.is_as_published());
    }

    #[test]
    fn a_recovery_is_a_mark_and_not_late() {
        let mut seen = sightings(&[]);
        seen.add(&transition("healthy", "degraded", 1_250, 0));
        seen.add(&transition("degraded", "healthy", 1_300, 0));
        assert_eq!(seen.marks, [Mark::Entered(HealthState::Degraded), Mark::Entered(HealthState::Healthy)]);
        assert_eq!((seen.late.len(), seen.state()), (1, HealthState::Healthy));
    }
}
