//! Whether all is as promised.

use std::time::Duration;

use heartbeat_contract::{HealthState, Stats};

use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::sightings::Sightings;

/// The processing that the published bound allows for.
const PROCESSING_MS: u64 = 1;

pub(crate) struct Verdict {
    pub(crate) plan: Plan,
    pub(crate) sightings: Sightings,
    pub(crate) stats: Stats,
    /// From when the registry went on to when everyone was where it should be.
    pub(crate) took: Duration,
}

impl Verdict {
    /// A table, or the table and what is not as promised.
    pub(crate) fn told(&self) -> Outcome<String> {
        let complaints = self.complaints();
        let table = self.table();
        if complaints.is_empty() {
            return Ok(format!(
                "\n{table}\n\nAs promised: nobody who lives on is failed, and who died is failed in time."
            ));
        }
        Err(format!("not as promised\n{table}\n{}", complaints.join("\n")).into())
    }

    /// The least and the largest virtual age at which those who died may be failed, in milliseconds.
    fn bound(&self) -> (u64, u64) {
        let deadline =
            u64::try_from(self.plan.policy().failed_after().as_millis()).expect("intervals are at most 24 h");
        (deadline, deadline + PROCESSING_MS)
    }

    fn complaints(&self) -> Vec<String> {
        let (least, most) = self.bound();
        let mut complaints = Vec::new();
        for (id, seen) in self.sightings.of("lives") {
            if seen.worst >= Some(HealthState::Failed) {
                complaints.push(format!("{id} lives and was {}", HealthState::Failed));
            }
        }
        for (id, seen) in self.sightings.of("dies") {
            match seen.failed_at_ms {
                Some(age) if (least..=most).contains(&age) => {}
                Some(age) => complaints.push(format!("{id} was failed at {age} ms, not from {least} to {most} ms")),
                None => complaints.push(format!("{id} died and was not failed")),
            }
        }
        complaints
    }

    fn table(&self) -> String {
        let Self { plan, sightings, stats, took } = self;
        let worst = |state| sightings.of("lives").filter(|(_, seen)| seen.worst == Some(state)).count();
        let ages: Vec<u64> = sightings.of("dies").filter_map(|(_, seen)| seen.failed_at_ms).collect();
        let (least, most) = self.bound();
        let blind = sightings.blind.map_or_else(|| "not told".to_owned(), |ms| format!("told at {ms} ms"));
        let lag = stats.blind.ingest_lag_max_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let rows = [
            ("members that live on", plan.living.to_string()),
            ("  failed", worst(HealthState::Failed).to_string()),
            ("  at worst critical", worst(HealthState::Critical).to_string()),
            ("  at worst degraded", worst(HealthState::Degraded).to_string()),
            ("members killed meanwhile", plan.dying.to_string()),
            ("  failed", ages.len().to_string()),
            ("  at a virtual age of", format!("{} to {} ms", display(ages.iter().min()), display(ages.iter().max()))),
            ("  published bound", format!("over {least} to {most} ms")),
            ("registry stopped for", format!("{} ms", plan.stop_for.as_millis())),
            ("  credited in all", format!("{} ms", stats.driver.credited_ms)),
            ("  registry_blind", blind),
            ("  ingest lag at most", lag),
            ("all settled after", format!("{} ms", took.as_millis())),
        ];
        rows.map(|(what, figure)| format!("{what:<26}{figure:>24}")).join("\n")
    }
}

fn display(age: Option<&u64>) -> String {
    age.map_or_else(|| "-".to_owned(), u64::to_string)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{Event, EventBody};

    use super::*;

    fn transition(member: &str, to: HealthState, age_ms: u64, credited_ms: u64) -> Event {
        let body = EventBody::Transition {
            from: HealthState::Healthy,
            to,
            age_ms,
            credited_ms,
            last_seen: None,
            cause: None,
            evidence: Vec::new(),
            group: None,
        };
        let mut event: Event =
            serde_json::from_str(r#"{"id":"a-1","n":1,"at":"2026-01-02T03:04:05Z","type":"registered"}"#).unwrap();
        (event.member, event.body) = (Some(member.parse().unwrap()), body);
        event
    }

    fn complaints(events: &[Event]) -> Vec<String> {
        let mut sightings = Sightings::default();
        events.iter().for_each(|event| sightings.add(event));
        let stats = serde_json::from_str(include_str!("../../../heartbeat-contract/tests/golden/stats.json")).unwrap();
        let plan = Plan::new(1_000, Duration::from_secs(30));
        Verdict { plan, sightings, stats, took: Duration::ZERO }.complaints()
    }

    #[test]
    fn who_died_may_be_failed_within_the_bound_alone() {
        let failed =
            |age_ms, credited_ms| complaints(&[transition("dies-1-1", HealthState::Failed, age_ms, credited_ms)]);
        assert_eq!(failed(46_251, 30_000), [""; 0]);
        assert_eq!(failed(46_252, 30_000).len(), 1);
        assert_eq!(failed(46_249, 30_000).len(), 1);
    }

    #[test]
    fn who_lives_may_be_late_and_must_not_be_failed() {
        let late = [transition("lives-1-1", HealthState::Critical, 13_000, 0)];
        assert_eq!(complaints(&late), [""; 0]);
        let back = [
            transition("lives-1-1", HealthState::Failed, 17_000, 0),
            transition("lives-1-1", HealthState::Healthy, 17_100, 0),
        ];
        assert_eq!(complaints(&back).len(), 1);
    }
}
