//! From ages to states.

use heartbeat_contract::HealthState;

/// The ages at which a silent member changes its state, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) degraded: u64,
    pub(crate) critical: u64,
    /// The last age that is not yet failed: the published bound.
    pub(crate) failed: u64,
}

impl Edges {
    /// The fixed detector: 1, 2 and `threshold` intervals, each plus the allowance.
    pub(crate) const fn fixed(interval: u64, allowance: u64, threshold: u64) -> Self {
        Self {
            degraded: interval + allowance,
            critical: 2 * interval + allowance,
            failed: threshold * interval + allowance,
        }
    }

    /// The state by age alone. Where the threshold is 2, nothing lies between degraded and failed.
    pub(crate) const fn state(self, age: u64) -> HealthState {
        if age > self.failed {
            HealthState::Failed
        } else if age >= self.critical && self.critical < self.failed {
            HealthState::Critical
        } else if age >= self.degraded {
            HealthState::Degraded
        } else {
            HealthState::Healthy
        }
    }

    /// The age from which a member is suspect: that at which it is critical, or where nothing lies between degraded and
    /// failed, degraded.
    pub(crate) const fn suspect(self) -> u64 {
        if self.critical < self.failed { self.critical } else { self.degraded }
    }

    /// The next age at which the state by age changes.
    pub(crate) const fn next(self, age: u64) -> Option<u64> {
        if age < self.degraded {
            Some(self.degraded)
        } else if age < self.critical && self.critical < self.failed {
            Some(self.critical)
        } else if age <= self.failed {
            Some(self.failed + 1)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use HealthState::{Critical, Degraded, Failed, Healthy};

    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn edges_are_one_two_and_threshold_intervals_plus_the_allowance() {
        let edges = Edges::fixed(30 * SECOND, 5 * SECOND, 3);
        let state = |seconds: u64| edges.state(seconds * SECOND);
        assert_eq!([34, 35, 64, 65, 95].map(state), [Healthy, Degraded, Degraded, Critical, Critical]);
        assert_eq!(edges.state(95 * SECOND + 1), Failed);
    }

    #[test]
    fn without_allowance_the_table_is_bare() {
        let edges = Edges::fixed(SECOND, 0, 3);
        let state = |tenths: u64| edges.state(tenths * SECOND / 10);
        assert_eq!([9, 10, 19, 20, 30, 31].map(state), [Healthy, Degraded, Degraded, Critical, Critical, Failed]);
    }

    #[test]
    fn at_threshold_2_failed_comes_where_critical_would() {
        let edges = Edges::fixed(SECOND, SECOND / 4, 2);
        assert_eq!(edges.state(2_250_000), Degraded);
        assert_eq!(edges.state(2_250_001), Failed);
        assert_eq!(edges.next(1_250_000), Some(2_250_001));
        assert_eq!(edges.suspect(), 1_250_000);
        assert_eq!(Edges::fixed(SECOND, SECOND / 4, 3).suspect(), 2_250_000);
    }

    #[test]
    fn each_edge_leads_to_the_next() {
        let edges = Edges::fixed(SECOND, SECOND / 4, 3);
        let mut age = 0;
        let mut states = vec![edges.state(age)];
        while let Some(next) = edges.next(age) {
            assert_eq!(edges.state(next - 1), *states.last().unwrap());
            age = next;
            states.push(edges.state(age));
        }
        assert_eq!(states, [Healthy, Degraded, Critical, Failed]);
    }
}
