//! The hosts of one zone, or all: who is heard, and who fell silent when. Kept in order, so that a look at those that fell
//! silent about the same time costs these alone.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{LONGEST, Mass, Silent, is_suspect, together};
use super::host::HostKey;

#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// By when each was first heard.
    heard: BTreeSet<(u64, HostKey)>,
    /// By since when each is silent, with the largest interval of the members that showed it.
    silent: BTreeMap<(u64, HostKey), u64>,
}

/// Where a host stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// When it was first heard.
    pub(super) first: u64,
    pub(super) silent: Option<Silent>,
}

impl Crowd {
    pub(super) fn add(&mut self, key: &HostKey, Standing { first, silent }: Standing) {
        match silent {
            None => drop(self.heard.insert((first, key.clone()))),
            Some(silent) => drop(self.silent.insert((silent.since, key.clone()), silent.interval)),
        }
    }

    pub(super) fn remove(&mut self, key: &HostKey, Standing { first, silent }: Standing) {
        match silent {
            None => drop(self.heard.remove(&(first, key.clone()))),
            Some(silent) => drop(self.silent.remove(&(silent.since, key.clone()))),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heard.is_empty() && self.silent.is_empty()
    }

    /// The hosts that fell silent together with one that did at a moment, and how many others are heard, if the former are
    /// suspiciously many.
    pub(super) fn suspect_mass(&self, around: u64) -> Option<(Mass, usize)> {
        // Even if all that are silent fell so at once, they might be too few: no need to look at each.
        if self.silent.len() < self.heard_before(around.saturating_sub(LONGEST)) {
            return None;
        }
        let (from, to) = (around.saturating_sub(LONGEST), around.saturating_add(LONGEST).saturating_add(1));
        let near = self.silent.range((from, HostKey::FIRST)..(to, HostKey::FIRST));
        let near: Vec<(&HostKey, Silent)> =
            near.map(|((since, key), interval)| (key, Silent { since: *since, interval: *interval })).collect();
        let (places, interval) = together(around, &near);
        let first = near.get(places.start).map_or(around, |(_, host)| host.since);
        let heard = self.heard_before(first);
        let mass =
            || Mass { first, interval, hosts: near[places.clone()].iter().map(|(key, _)| (*key).clone()).collect() };
        is_suspect(places.len(), heard).then(|| (mass(), heard))
    }

    /// How many of those that are heard were so at a moment already.
    fn heard_before(&self, at: u64) -> usize {
        let newer = self.heard.range((at.saturating_add(1), HostKey::FIRST)..).count();
        self.heard.len() - newer
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::MemberId;
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000;

    /// Tries every window, one host after the other.
    fn naive(hosts: &[(HostKey, Standing)], around: u64) -> Option<(u64, usize, usize)> {
        let silent: Vec<Silent> = hosts.iter().filter_map(|(_, host)| host.silent).collect();
        let near: Vec<&Silent> = silent.iter().filter(|host| host.since.abs_diff(around) <= LONGEST).collect();
        let window = near.iter().map(|host| 2 * host.interval).max()?.min(LONGEST);
        let mut best: Option<(usize, u64)> = None;
        for start in &near {
            let end = start.since + window;
            let count = near.iter().filter(|host| (start.since..=end).contains(&host.since)).count();
            let is_better = best.is_none_or(|(most, first)| count > most || (count == most && start.since < first));
            if (start.since..=end).contains(&around) && is_better {
                best = Some((count, start.since));
            }
        }
        let (count, first) = best?;
        let heard = hosts.iter().filter(|(_, host)| host.silent.is_none() && host.first <= first).count();
        (count >= 3 && count >= heard).then_some((first, count, heard))
    }

    fn host() -> impl Strategy<Value = Standing> {
        let silent =
            (0_u64..200, 1_u64..40).prop_map(|(since, interval)| Silent { since: since * S, interval: interval * S });
        (0_u64..150, prop::option::weighted(0.6, silent))
            .prop_map(|(first, silent)| Standing { first: first * S, silent })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_mass_is_what_trying_every_window_finds(standings in prop::collection::vec(host(), 1..30)) {
            let named = |(n, standing)| (HostKey::Hive(MemberId::new(format!("h{n}")).unwrap()), standing);
            let hosts: Vec<(HostKey, Standing)> = standings.into_iter().enumerate().map(named).collect();
            let mut crowd = Crowd::default();
            hosts.iter().for_each(|(key, standing)| crowd.add(key, *standing));
            for (_, host) in &hosts {
                let Some(silent) = host.silent else { continue };
                let found = crowd.suspect_mass(silent.since);
                let found = found.map(|(mass, heard)| (mass.first, mass.hosts.len(), heard));
                prop_assert_eq!(found, naive(&hosts, silent.since));
            }
            hosts.iter().for_each(|(key, standing)| crowd.remove(key, *standing));
            prop_assert!(crowd.is_empty());
        }
    }
}
