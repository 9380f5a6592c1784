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

/// A mark, and the cause that stands with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) mark: Mark,
    pub(super) cause: Option<Cause>,
}

impl Told {
    /// That a member entered a state for a cause.
    pub(super) fn entered(state: HealthState, cause: impl Into<Option<Cause>>) -> Self {
        Self { mark: Mark::Entered(state), cause: cause.into() }
    }

    /// What has no cause.
    pub(super) fn just(mark: Mark) -> Self {
        Self { mark, cause: None }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Some(cause) => write!(f, "{} ({cause})", self.mark),
            None => self.mark.fmt(f),
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
    pub(super) told: Vec<Told>,
    pub(super) late: Vec<Lateness>,
}

impl Sightings {
    /// Those of a member that has just joined.
    pub(super) fn begin(view: &MemberView) -> Self {
        Self { policy: view.policy.clone(), first_incarnation: view.incarnation, told: Vec::new(), late: Vec::new() }
    }

    /// Adds what an event tells.
    pub(super) fn add(&mut self, event: &Event) {
        match &event.body {
            EventBody::Transition { to, cause, .. } => {
                self.told.push(Told::entered(*to, *cause));
                self.late.extend(self.lateness(event));
            }
            EventBody::Restarted { .. } => self.told.push(Told::just(Mark::Restarted)),
            EventBody::Superseded { .. } | EventBody::Forgotten { .. } => self.told.push(Told::just(Mark::Unforeseen)),
            EventBody::Policy { policy } => self.policy = policy.clone(),
            _ => {}
        }
    }

    /// How late the member was, if it changed to a worse state for being late. One that answers a probe, so that it is the
    /// network's fault, is held before failed for one interval, which is part of the bound.
    pub(super) fn lateness(&self, event: &Event) -> Option<Lateness> {
        let EventBody::Transition { from, to, age_ms, credited_ms, cause, .. } = &event.body else { return None };
        let bound = match to {
            HealthState::Degraded => self.policy.degraded_after(),
            HealthState::Critical => self.policy.critical_after(),
            HealthState::Failed if *cause == Some(Cause::Network) => self.policy.failed_after() + self.policy.interval,
            HealthState::Failed => self.policy.failed_after(),
            HealthState::Healthy | HealthState::Left => return None,
        };
        let age = Duration::from_millis(age_ms.saturating_sub(*credited_ms));
        (cause.is_some_and(is_of_silence) && from < to).then_some(Lateness { state: *to, age, bound })
    }

    pub(super) fn saw(&self, mark: Mark) -> bool {
        self.told.iter().any(|told| told.mark == mark)
    }

    /// The state it entered last.
    pub(super) fn state(&self) -> HealthState {
        let entered = self.told.iter().rev().find_map(|told| match told.mark {
            Mark::Entered(state) => Some(state),
            Mark::Restarted | Mark::Unforeseen => None,
        });
        entered.unwrap_or(HealthState::Healthy)
    }
}

/// Whether it is the time without beats that makes a member's state worse, whatever is known of why there are none.
fn is_of_silence(cause: Cause) -> bool {
    match cause {
        Cause::Silent | Cause::NeverSeen | Cause::ProcessDead | Cause::Hung | Cause::Network | Cause::HostDown => true,
        // Beats tell these.
        _ => false,
    }
}

/// Everything told of everyone, by id: ids are unique across the kinds of the demo.
pub(super) type Fleet = BTreeMap<String, Sightings>;

#[cfg(test)]
pub(super) mod tests {
    use heartbeat_contract::Policy;

    use super::*;

    /// A member that joined and of which some things were told then, always exactly when its policy says.
    pub(in super::super) fn sightings(told: &[Told]) -> Sightings {
        let policy = Policy::default().at(Duration::from_secs(1));
        Sightings { first_incarnation: Some(1), told: told.to_vec(), late: Vec::new(), policy }
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
    fn whoever_failed_for_a_known_cause_has_the_same_bound_and_the_network_is_given_an_interval_more() {
        for (cause, bound) in [("process_dead", 3_250), ("hung", 3_250), ("host_down", 3_250), ("network", 4_250)] {
            let seen = sightings(&[]);
            let lateness = |age| seen.lateness(&because(cause, "critical", "failed", age, 0)).unwrap();
            assert_eq!(lateness(bound).bound, Duration::from_millis(bound), "{cause}");
            let fine = [bound - 1, bound, bound + 1, bound + 2].map(|age| lateness(age).is_as_published());
            assert_eq!(fine, [false, true, true, false], "{cause}");
        }
    }

    #[test]
    fn a_new_policy_has_its_own_bounds() {
        let mut seen = sightings(&[]);
        let policy = Policy { threshold: 5, ..Policy::default() }.at(Duration::from_secs(1));
        let json = serde_json::json!({
            "id": "a-1", "n": 1, "at": "2026-01-02T03:05:40Z", "type": "policy", "kind": "worker", "member": "a",
            "policy": policy,
        });
        seen.add(&serde_json::from_value(json).unwrap());
        let lateness = seen.lateness(&transition("critical", "failed", 5_250, 0)).unwrap();
        assert!(lateness.is_as_published());
    }

    #[test]
    fn a_verdict_for_anything_but_silence_has_no_bound_to_keep() {
        let mut seen = sightings(&[]);
        seen.add(&because("self_reported", "healthy", "critical", 300, 0));
        seen.add(&because("stuck", "degraded", "critical", 300, 0));
        let critical = |cause| Told::entered(HealthState::Critical, cause);
        assert_eq!(seen.told, [critical(Cause::SelfReported), critical(Cause::Stuck)]);
        assert_eq!(seen.late, []);
        let never_seen = seen.lateness(&because("never_seen", "healthy", "degraded", 1_250, 0)).unwrap();
        assert!(never_seen.is_as_published());
    }

    #[test]
    fn a_recovery_is_a_mark_and_not_late() {
        let mut seen = sightings(&[]);
        seen.add(&transition("healthy", "degraded", 1_250, 0));
        seen.add(&transition("degraded", "healthy", 1_300, 0));
        let marks: Vec<Mark> = seen.told.iter().map(|told| told.mark).collect();
        assert_eq!(marks, [Mark::Entered(HealthState::Degraded), Mark::Entered(HealthState::Healthy)]);
        assert_eq!((seen.late.len(), seen.state()), (1, HealthState::Healthy));
    }
}
