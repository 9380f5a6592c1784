//! Which alerts a sink is told of.

use heartbeat_contract::{HealthState, Kind, MemberId, Zone};

use super::pattern::IdPattern;

/// Which alerts a sink is told of: those of members in one of these states, of one of these kinds, in one of these zones,
/// with an id like one of these. What is empty admits all, but for the states.
///
/// A host that is down counts as a failure of the members on it. That a member flaps, or that two runs share its id, is
/// told whatever the states; a mass silence goes by the zone alone, and one of the whole fleet, or a registry that cannot
/// listen, is told in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// States, `failed` by default. `healthy` and `left` are no alerts.
    pub states: Vec<HealthState>,
    /// Kinds of members.
    pub kinds: Vec<Kind>,
    /// Zones.
    pub zones: Vec<Zone>,
    /// Patterns of ids.
    pub ids: Vec<IdPattern>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { states: vec![HealthState::Failed], kinds: Vec::new(), zones: Vec::new(), ids: Vec::new() }
    }
}

impl Rule {
    pub(super) fn asks_for(&self, state: HealthState) -> bool {
        self.states.contains(&state)
    }

    /// Whether it is about a member, whatever its state.
    pub(super) fn admits(&self, kind: &Kind, member: &MemberId, zone: Option<&Zone>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(kind))
            && (self.zones.is_empty() || zone.is_some_and(|zone| self.zones.contains(zone)))
            && (self.ids.is_empty() || self.ids.iter().any(|pattern| pattern.matches(member.as_str())))
    }

    pub(super) fn admits_zone(&self, zone: &str) -> bool {
        self.zones.is_empty() || self.zones.iter().any(|known| known.as_str() == zone)
    }

    /// Whether it is about all members.
    pub(super) fn admits_everyone(&self) -> bool {
        self.kinds.is_empty() && self.zones.is_empty() && self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(rule: &Rule, kind: &Kind, id: &str, zone: &str) -> bool {
        rule.admits(kind, &MemberId::new(id).unwrap(), Some(&Zone::new(zone).unwrap()))
    }

    #[test]
    fn by_default_everyone_who_failed_is_told_of() {
        let rule = Rule::default();
        assert!(admits(&rule, &Kind::HIVE, "a", "z") && rule.admits_everyone());
        let asked: Vec<_> = HealthState::ALL.iter().filter(|state| rule.asks_for(**state)).collect();
        assert_eq!(asked, [&HealthState::Failed]);
    }

    #[test]
    fn kind_zone_and_id_must_all_be_admitted() {
        let rule = Rule {
            kinds: vec![Kind::WORKER],
            zones: vec![Zone::new("z1").unwrap(), Zone::new("z2").unwrap()],
            ids: vec!["a-*".parse().unwrap(), "b".parse().unwrap()],
            ..Rule::default()
        };
        for (kind, id, zone, admitted) in [
            (Kind::WORKER, "a-1", "z1", true),
            (Kind::WORKER, "b", "z2", true),
            (Kind::HIVE, "a-1", "z1", false),
            (Kind::WORKER, "c", "z1", false),
            (Kind::WORKER, "b", "z3", false),
        ] {
            assert_eq!(admits(&rule, &kind, id, zone), admitted, "{kind} {id} {zone}");
        }
        assert!(!rule.admits(&Kind::WORKER, &MemberId::new("b").unwrap(), None), "a zone nobody knows");
        assert!(rule.admits_zone("z1") && !rule.admits_zone("z3") && !rule.admits_everyone());
    }
}
