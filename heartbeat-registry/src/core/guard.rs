//! The guard against mass silence: when many hosts fall silent at once, the network in between, or the registry itself, is
//! to blame before they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use heartbeat_contract::Zone;

use super::host::HostKey;

/// A hold lasts this long, in microseconds, and hosts that fall silent within no more than this belong together.
pub(crate) const LONGEST: u64 = 60_000_000;
/// Fewer hosts are never a mass.
const FEWEST: usize = 3;
/// After a hold that ends by itself, a tenth of the hosts at a time is let go, this far apart.
const STEP: u64 = LONGEST / 10;
const TENTH: usize = 10;

/// Whose hosts are guarded together: those of a zone, or all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    All,
    Zone(Zone),
}

impl Scope {
    /// The name of all in place of a zone; no zone can be called so.
    const ALL: &str = "_all";

    /// The scope of a name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == Self::ALL { Some(Self::All) } else { Zone::new(name).ok().map(Self::Zone) }
    }

    /// Whether the hosts of a zone are among them.
    pub(crate) fn has(&self, zone: &Zone) -> bool {
        match self {
            Self::All => true,
            Self::Zone(own) => own == zone,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str(Self::ALL),
            Self::Zone(zone) => zone.fmt(f),
        }
    }
}

/// One host that is silent: since when, and the largest interval of the members that showed it. Times in virtual
/// microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) since: u64,
    pub(super) interval: u64,
}

/// Hosts that fell silent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mass {
    /// When the first fell silent.
    pub(super) first: u64,
    /// The largest interval of those that fell silent about that time.
    pub(super) interval: u64,
    pub(super) hosts: BTreeSet<HostKey>,
}

/// The most hosts that fell silent within two of their largest intervals, one of them that which fell silent at `around`:
/// their places in `near`, which are those that did within [`LONGEST`] of it, in that order; and the largest interval.
pub(super) fn together(around: u64, near: &[(&HostKey, Silent)]) -> (Range<usize>, u64) {
    let interval = near.iter().map(|(_, host)| host.interval).max().unwrap_or(0);
    let window = window(interval);
    let (mut best, mut end) = (0..0, 0);
    for (start, (_, host)) in near.iter().enumerate() {
        let last = host.since + window;
        end += near[end..].iter().take_while(|(_, host)| host.since <= last).count();
        if (host.since..=last).contains(&around) && end - start > best.len() {
            best = start..end;
        }
    }
    (best, interval)
}

/// Whether so many silent hosts are suspect, where this many others are heard.
pub(super) fn is_suspect(silent: usize, heard: usize) -> bool {
    silent >= FEWEST && silent >= heard
}

fn window(interval: u64) -> u64 {
    (2 * interval).min(LONGEST)
}

/// Hosts whose members are kept from failed, since too many fell silent at once.
#[derive(Clone, Debug)]
pub(crate) struct Protection {
    /// When the first fell silent, and the largest interval.
    first: u64,
    interval: u64,
    pub(crate) since: u64,
    pub(crate) until: u64,
    /// Those of the hosts that are still silent.
    silent: BTreeSet<HostKey>,
    /// How many hosts there are, silent or heard.
    pub(crate) of: usize,
}

impl Protection {
    pub(super) fn new(mass: Mass, heard: usize, at: u64) -> Self {
        let Mass { first, interval, hosts } = mass;
        Self { first, interval, since: at, until: at + LONGEST, of: hosts.len() + heard, silent: hosts }
    }

    /// How many hosts are still silent.
    pub(crate) fn silent(&self) -> usize {
        self.silent.len()
    }

    pub(super) fn silent_hosts(&self) -> impl Iterator<Item = &HostKey> {
        self.silent.iter()
    }

    /// Whether a host that falls silent only now belongs to the mass.
    pub(super) fn admits(&self, host: Silent) -> bool {
        host.since.abs_diff(self.first) <= window(self.interval.max(host.interval))
    }

    pub(super) fn add(&mut self, key: HostKey, host: Silent) {
        self.interval = self.interval.max(host.interval);
        self.silent.insert(key);
        self.of = self.of.max(self.silent.len());
    }

    /// A host is heard again. Once they are no mass any more, those still silent get the time of one more beat: where a
    /// network comes back, hosts do not beat all at once.
    pub(super) fn remove(&mut self, key: &HostKey, at: u64) {
        let was_silent = self.silent.remove(key);
        if was_silent && !is_suspect(self.silent.len(), self.of.saturating_sub(self.silent.len())) {
            self.until = self.until.min(at + grace(self.interval));
        }
    }

    /// Until when each host that is still silent is held once the protection has ended by itself: the longest silent go
    /// first, a tenth at a time.
    pub(super) fn release(&self, silent_since: impl Fn(&HostKey) -> u64, at: u64) -> BTreeMap<HostKey, u64> {
        let mut hosts: Vec<&HostKey> = self.silent.iter().collect();
        hosts.sort_by_key(|key| (silent_since(key), *key));
        let at_a_time = hosts.len().div_ceil(TENTH).max(1);
        let steps = hosts.into_iter().enumerate();
        steps.map(|(place, key)| (key.clone(), at + (place / at_a_time) as u64 * STEP)).collect()
    }
}

/// How long a member of a host that is heard again may take for its own next beat.
pub(super) fn grace(interval: u64) -> u64 {
    interval + (interval / 4).min(5_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn host(name: &str, since: u64, interval: u64) -> (HostKey, Silent) {
        let key = HostKey::Hive(heartbeat_contract::MemberId::new(name).unwrap());
        (key, Silent { since: since * S, interval: interval * S })
    }

    #[test]
    fn hosts_belong_together_that_fall_silent_within_two_of_their_largest_intervals() {
        let around = |c: u64, hosts: &[(&str, u64, u64)]| {
            let hosts: Vec<_> = hosts.iter().map(|(name, since, interval)| host(name, *since, *interval)).collect();
            let near: Vec<_> = hosts.iter().map(|(key, silent)| (key, *silent)).collect();
            let (places, _) = together(c * S, &near);
            (near[places.start].1.since / S, places.len())
        };
        assert_eq!(around(15, &[("a", 10, 1), ("b", 14, 1), ("c", 15, 1), ("d", 16, 1), ("e", 19, 1)]), (14, 3));
        assert_eq!(around(15, &[("a", 10, 1), ("b", 14, 1), ("c", 15, 5), ("d", 16, 1), ("e", 19, 1)]), (10, 5));
        // No window is longer than a minute.
        assert_eq!(around(59, &[("a", 0, 300), ("b", 59, 300), ("c", 61, 300)]), (0, 2));
    }

    #[test]
    fn three_hosts_that_are_half_of_all_are_suspect_and_fewer_are_not() {
        assert!(is_suspect(3, 3) && is_suspect(3, 0) && is_suspect(10, 10));
        assert!(!is_suspect(2, 0) && !is_suspect(3, 4) && !is_suspect(10, 11));
    }

    #[test]
    fn a_protection_admits_hosts_that_fall_silent_within_two_of_the_largest_intervals() {
        let (key, first) = host("a", 100, 2);
        let mass = Mass { first: first.since, interval: first.interval, hosts: [key].into() };
        let protection = Protection::new(mass, 0, 0);
        let admits = |since, interval| protection.admits(host("b", since, interval).1);
        assert!(admits(104, 1) && admits(96, 1) && !admits(105, 1) && !admits(95, 1));
        assert!(admits(110, 5) && !admits(111, 5), "its own interval is the larger one");
        assert!(admits(160, 300) && !admits(161, 300), "no window is longer than a minute");
    }

    #[test]
    fn a_zone_has_its_own_hosts_and_the_whole_fleet_has_all() {
        let zone = |name| Zone::new(name).unwrap();
        let scopes = ["_all", "rack-1"].map(|name| Scope::parse(name).unwrap());
        assert_eq!(scopes.each_ref().map(|scope| scope.has(&zone("rack-1"))), [true, true]);
        assert_eq!(scopes.map(|scope| scope.has(&zone("rack-2"))), [true, false]);
    }

    #[test]
    fn hosts_are_let_go_a_tenth_at_a_time() {
        let silent: Vec<_> = (0..25).map(|n| host(&format!("h{n:02}"), 100 - n, 1)).collect();
        let mass = Mass { first: 0, interval: S, hosts: silent.iter().map(|(key, _)| key.clone()).collect() };
        let since = |key: &HostKey| silent.iter().find(|(other, _)| other == key).unwrap().1.since;
        let ends = Protection::new(mass, 0, 0).release(since, 0);
        let mut times: Vec<u64> = ends.values().copied().collect();
        times.sort_unstable();
        assert_eq!(times[..4], [0, 0, 0, STEP]);
        assert_eq!(times[24], 8 * STEP);
        assert_eq!(ends[&silent[24].0], 0, "the longest silent goes first");
    }

    #[test]
    fn once_most_are_back_the_others_get_the_time_of_one_more_beat() {
        let silent: Vec<_> = (0..4).map(|n| host(&format!("h{n}"), 0, 8)).collect();
        let mass = Mass { first: 0, interval: 8 * S, hosts: silent.iter().map(|(key, _)| key.clone()).collect() };
        let mut protection = Protection::new(mass, 0, 0);
        protection.remove(&silent[0].0, S);
        assert_eq!(protection.until, LONGEST, "three of four are still a mass");
        protection.remove(&silent[1].0, 2 * S);
        assert_eq!(protection.until, 12 * S);
    }
}
