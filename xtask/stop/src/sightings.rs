//! What the registry tells of each member.

use std::collections::BTreeMap;

use heartbeat_contract::{Event, EventBody, HealthState};

/// What a member went through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sighting {
    /// The worst state it came into.
    pub(crate) worst: Option<HealthState>,
    /// The state it came into last.
    pub(crate) ends: Option<HealthState>,
    /// The virtual age at which it was failed, in milliseconds.
    pub(crate) failed_at_ms: Option<u64>,
}

/// Members by id, and what the registry said of itself.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    members: BTreeMap<String, Sighting>,
    pub(crate) blind: Option<u64>,
}

impl Sightings {
    pub(crate) fn add(&mut self, event: &Event) {
        match (&event.body, &event.member) {
            (EventBody::Transition { to, age_ms, credited_ms, .. }, Some(id)) => {
                let seen = self.members.entry(id.to_string()).or_default();
                seen.worst = seen.worst.max(Some(*to));
                seen.ends = Some(*to);
                if *to == HealthState::Failed {
                    seen.failed_at_ms = Some(age_ms - credited_ms);
                }
            }
            (EventBody::RegistryBlind { credited_ms, active: true, .. }, _) => self.blind = Some(*credited_ms),
            _ => {}
        }
    }

    /// Those whose id begins with a word.
    pub(crate) fn of(&self, word: &str) -> impl Iterator<Item = (&str, &Sighting)> {
        self.members.iter().filter(move |(id, _)| id.starts_with(word)).map(|(id, seen)| (id.as_str(), seen))
    }
}
