//! How the member's work gets on, as it reports it.

use heartbeat_contract::Progress;
use tokio::time::Instant;

use crate::stamp::millis;

/// The last progress reported, and since when there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgressMark {
    busy: bool,
    done: u64,
    since: Instant,
}

impl ProgressMark {
    /// The report that follows this one. Its age counts from when `done` last grew or, if later, from when the work
    /// began: work that begins after an idle hour has not been stuck for an hour.
    pub(crate) fn next(previous: Option<Self>, busy: bool, done: u64, now: Instant) -> Self {
        let since = match previous {
            Some(previous) if done <= previous.done && (previous.busy || !busy) => previous.since,
            _ => now,
        };
        Self { busy, done, since }
    }

    pub(crate) fn at(self, now: Instant) -> Progress {
        let age = now.saturating_duration_since(self.since);
        Progress { busy: self.busy, done: self.done, age_ms: millis(age) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn progress_ages_until_done_grows_or_work_begins() {
        let start = monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = ProgressMark::next(None, true, 5, at(0));
        let same = ProgressMark::next(Some(first), true, 5, at(10));
        assert_eq!(same.at(at(12)), Progress { busy: true, done: 5, age_ms: 12_000 });
        let grown = ProgressMark::next(Some(same), true, 6, at(20));
        assert_eq!(grown.at(at(21)).age_ms, 1000);
        let idle = ProgressMark::next(Some(grown), false, 6, at(30));
        let busy_again = ProgressMark::next(Some(idle), true, 6, at(3600));
        assert_eq!(busy_again.at(at(3601)).age_ms, 1000);
    }
}
