//! Processes that ended, told for a while. Plain arithmetic.

use std::collections::VecDeque;
use std::time::Duration;

use heartbeat_contract::ProcessExit;
use tokio::time::Instant;

use crate::stamp::millis;

/// Beats get lost, and registries restart.
const TOLD_FOR: Duration = Duration::from_secs(10 * 60);
/// The contract's limit for one beat.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Exits(VecDeque<(ProcessExit, Instant)>);

impl Exits {
    pub(super) fn add(&mut self, exit: ProcessExit, at: Instant) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((exit, at));
    }

    /// All that is told, with its age.
    pub(super) fn told(&mut self, now: Instant) -> Vec<ProcessExit> {
        while self.0.front().is_some_and(|(_, at)| now.saturating_duration_since(*at) > TOLD_FOR) {
            self.0.pop_front();
        }
        let aged = |(exit, at): &(ProcessExit, Instant)| {
            let age = now.saturating_duration_since(*at);
            ProcessExit { age_ms: Some(millis(age)), ..exit.clone() }
        };
        self.0.iter().map(aged).collect()
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::MemberId;

    use super::*;
    use crate::clock::monotonic;

    fn exit(pid: u32) -> ProcessExit {
        ProcessExit { pid: Some(pid), ..ProcessExit::new(MemberId::new("w").unwrap()) }
    }

    #[test]
    fn an_exit_is_told_with_its_age_for_ten_minutes() {
        let (mut exits, began) = (Exits::default(), monotonic());
        exits.add(exit(1), began);
        exits.add(exit(2), began + Duration::from_secs(60));
        let ages: Vec<_> = exits.told(began + Duration::from_secs(61)).iter().map(|exit| exit.age_ms).collect();
        assert_eq!(ages, [Some(61_000), Some(1_000)]);
        let pids: Vec<_> = exits.told(began + Duration::from_secs(601)).iter().map(|exit| exit.pid).collect();
        assert_eq!(pids, [Some(2)]);
    }

    #[test]
    fn the_newest_256_are_told() {
        let (mut exits, now) = (Exits::default(), monotonic());
        (0..300).for_each(|pid| exits.add(exit(pid), now));
        let told = exits.told(now);
        assert_eq!((told.len(), told[0].pid), (256, Some(44)));
    }
}
