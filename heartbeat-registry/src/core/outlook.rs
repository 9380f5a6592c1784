//! What decides the state of a member, and what comes next if it stays silent.

use heartbeat_contract::{HealthState, NextStep, Rule};

use super::hold::Hold;
use super::member::{Cold, Hot};
use super::now::{Now, micros};
use super::table::Table;

/// What decides the state of a member, and what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) rule: Rule,
    /// What, and when, in virtual microseconds.
    pub(crate) next: Option<(NextStep, u64)>,
}

impl Table {
    /// The outlook of the member in a slot.
    pub(crate) fn outlook(&self, slot: u32, now: &Now) -> Option<Outlook> {
        let (hot, cold) = self.get(slot)?;
        let forgotten = |after| Some((NextStep::Forgotten, cold.state_since.saturating_add(micros(after))));
        let next = match hot.state {
            HealthState::Left => forgotten(self.defaults.forget_left_after),
            HealthState::Failed => forgotten(self.defaults.forget_failed_after),
            _ => next_worse(hot, cold, now),
        };
        Some(Outlook { rule: rule(hot, cold, now), next })
    }
}

/// Of all that speaks for a state, that which speaks for the worst; timing where several do.
fn rule(hot: &Hot, cold: &Cold, now: &Now) -> Rule {
    let by_age = hot.by_age(now);
    if hot.state == HealthState::Left {
        Rule::Goodbye
    } else if cold.decisive_end(by_age).is_some() {
        Rule::Exit
    } else if cold.decisive_work(hot, by_age).is_some() {
        Rule::Stuck
    } else if HealthState::from(hot.report) > by_age.max(hot.floor) {
        Rule::SelfReport
    } else if by_age < hot.floor {
        Rule::Recovery
    } else if by_age == HealthState::Failed && Hold::on(hot, cold, now.at).is_some() {
        Rule::Hold
    } else {
        Rule::Timing
    }
}

/// The next edge at which silence alone makes the state worse than it is.
fn next_worse(hot: &Hot, cold: &Cold, now: &Now) -> Option<(NextStep, u64)> {
    let (edges, mut age) = (hot.edges(), hot.age(now));
    if let (HealthState::Failed, Some(hold)) = (edges.state(age), Hold::on(hot, cold, now.at)) {
        return Some((NextStep::Failed, hold.until));
    }
    while let Some(next) = edges.next(age) {
        age = next;
        let step = match edges.state(age) {
            state if state <= hot.state => continue,
            HealthState::Degraded => NextStep::Degraded,
            HealthState::Critical => NextStep::Critical,
            _ => NextStep::Failed,
        };
        let at = hot.heard + age;
        let held = (step == NextStep::Failed).then(|| Hold::on(hot, cold, at)).flatten();
        return Some((step, held.map_or(at, |hold| hold.until)));
    }
    None
}
