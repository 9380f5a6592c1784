//! Hosts whose protection has ended, while their members are still held for a moment.

use std::collections::BTreeMap;

use heartbeat_contract::Zone;

use super::{Changes, Hosts};
use crate::core::guard::Scope;

/// Hosts that the guard lets go, a tenth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LettingGo {
    pub(crate) since: u64,
    pub(crate) until: u64,
    pub(crate) hosts: usize,
    pub(crate) members: usize,
}

impl Hosts {
    /// The hosts of each zone that the guard lets go, a tenth at a time.
    pub(crate) fn letting_go(&self, at: u64) -> BTreeMap<&Zone, LettingGo> {
        let mut zones: BTreeMap<&Zone, LettingGo> = BTreeMap::new();
        for home in self.homes.values() {
            let Some((since, until)) = home.released.filter(|(_, until)| at < *until) else { continue };
            let zone = zones.entry(&home.zone).or_insert(LettingGo { since, until, hosts: 0, members: 0 });
            (zone.since, zone.until) = (zone.since.min(since), zone.until.max(until));
            zone.hosts += 1;
            zone.members += home.held.len();
        }
        zones
    }

    /// The hosts that the guard lets go are really lost: their members are judged at once.
    pub(crate) fn let_go_at_once(&mut self, scope: &Scope, at: u64, changes: &mut Changes) {
        for home in self.homes.values_mut().filter(|home| scope.has(&home.zone)) {
            let Some((_, until)) = home.released.as_mut().filter(|(_, until)| at < *until) else { continue };
            *until = at;
            home.hold_until(at, changes);
        }
    }
}
