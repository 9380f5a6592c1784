//! What is known of a member beside an event that tells of it.

use std::sync::PoisonError;

use heartbeat_contract::{HealthState, Kind, MemberId, Zone};

use crate::engine::Engine;

/// How a member is now, and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) state: HealthState,
    pub(super) zone: Zone,
    pub(super) host: String,
}

impl Engine {
    /// What is known of a member, if it is.
    pub(super) fn sighting(&self, kind: &Kind, member: &MemberId) -> Option<Sighting> {
        let kind = {
            let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
            kinds.all().find(|(_, known)| *known == kind).map(|(index, _)| index)
        }?;
        let key = self.key(kind, member);
        let table = self.table(key);
        let (hot, cold) = table.get(table.find(key)?)?;
        Some(Sighting { state: hot.state(), zone: cold.zone.clone(), host: cold.host_key().to_string() })
    }
}
