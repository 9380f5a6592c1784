use std::sync::PoisonError;

use heartbeat_contract::{HealthState, Kind, MemberId};

use crate::core::Origin;
use crate::engine::Engine;

/// What is known of where a member answers.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) state: HealthState,
    pub(super) incarnation: Option<u64>,
    pub(super) origin: Origin,
    pub(super) endpoint: Option<String>,
}

impl Whereabouts {
    /// `None` if the member is not known.
    pub(super) fn of(engine: &Engine, kind: &Kind, id: &MemberId) -> Option<Self> {
        let kinds = || engine.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds().all().find_map(|(index, known)| (known == kind).then_some(index))?;
        let key = engine.key(kind, id);
        let table = engine.table(key);
        let (hot, cold) = table.get(table.find(key)?)?;
        let endpoint = cold.attachment.as_deref().and_then(|kept| kinds().beat(kind, kept)?.endpoint.clone());
        Some(Self {
            state: hot.state(),
            incarnation: hot.order().map(|order| order.incarnation),
            origin: cold.origin,
            endpoint,
        })
    }
}
