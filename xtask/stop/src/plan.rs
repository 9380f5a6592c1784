//! How many members there are, and what is done to them.

use std::time::Duration;

use heartbeat_contract::{Policy, ResolvedPolicy};

/// How many members share a process.
const PER_PROCESS: usize = 250;
/// For each so many processes that live on, or part of them, one dies.
const LIVING_PER_DYING: usize = 20;
/// How often members beat in the time for which the registry is stopped.
const BEATS_PER_STOP: u32 = 6;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many members live on.
    pub(crate) living: usize,
    /// How many die while the registry is stopped.
    pub(crate) dying: usize,
    pub(crate) stop_for: Duration,
    pub(crate) interval: Duration,
}

/// The members of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) number: usize,
    pub(crate) members: usize,
    pub(crate) dies: bool,
}

impl Plan {
    pub(crate) fn new(members: usize, stop_for: Duration) -> Self {
        let processes = members.div_ceil(PER_PROCESS);
        let dying = processes.div_ceil(LIVING_PER_DYING) * PER_PROCESS.min(members);
        Self { living: members, dying, stop_for, interval: stop_for / BEATS_PER_STOP }
    }

    pub(crate) fn members(&self) -> usize {
        self.living + self.dying
    }

    /// What the members are judged by.
    pub(crate) fn policy(&self) -> ResolvedPolicy {
        Policy::default().resolve(Some(self.interval), None)
    }

    /// The processes: first those that live on.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (mut left, dies) in [(self.living, false), (self.dying, true)] {
            while left > 0 {
                let members = left.min(PER_PROCESS);
                groups.push(Group { number: groups.len(), members, dies });
                left -= members;
            }
        }
        groups
    }
}

impl Group {
    /// The ids of its members begin so.
    pub(crate) fn prefix(&self) -> String {
        format!("{}-{}-", if self.dies { "dies" } else { "lives" }, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_die_beside_all_that_live_on_and_without_credit_all_would_fail() {
        for members in [1, 250, 1_000, 10_000] {
            let plan = Plan::new(members, Duration::from_secs(30));
            let count = |dies| plan.groups().iter().filter(|group| group.dies == dies).map(|group| group.members).sum();
            let (living, dying): (usize, usize) = (count(false), count(true));
            assert_eq!((living, dying), (members, plan.dying));
            assert!(dying > 0);
            assert!(plan.policy().failed_after() < plan.stop_for * 2 / 3);
        }
        assert_eq!(Plan::new(10_000, Duration::from_secs(30)).dying, 500);
    }
}
