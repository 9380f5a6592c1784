//! Which registry batches go to, and what of that the log does not say yet. Plain arithmetic: times are durations since the
//! relay started.

use std::ops::Range;
use std::time::Duration;

use crate::SendError;
use crate::route::Route;
use crate::send_error::FailureClass;
use crate::spread::Spread;

/// The route of batches, of which several are on their way at a time.
#[derive(Debug)]
pub(super) struct Way {
    route: Route,
    registries: usize,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    class: FailureClass,
    /// The beats of all batches since the last that a registry took.
    beats: u64,
}

/// What a batch that a registry took has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changes {
    /// Batches go to another registry from now on.
    pub(super) has_moved: bool,
    /// Batches are taken again, after so many beats were refused.
    pub(super) refused: Option<u64>,
}

impl Way {
    pub(super) fn new(registries: usize, spread: Spread) -> Self {
        Self { route: Route::new(registries, spread), registries, failing: None }
    }

    /// The registries that a batch tries, in turn.
    pub(super) fn choices(&self) -> Vec<usize> {
        (0..self.registries).map_while(|tried| self.route.choice(tried)).collect()
    }

    /// A registry took a batch that began with another, or with this one.
    pub(super) fn took(&mut self, registry: usize, first: usize, now: Duration) -> Changes {
        // A batch that began before another moved the route knows less than that one.
        let has_moved = first == self.route.current() && self.route.took(registry, now);
        Changes { has_moved, refused: self.failing.take().map(|failing| failing.beats) }
    }

    /// No registry took a batch. Returns whether that is worth a line: it was not so before, or not like this.
    pub(super) fn failed(&mut self, beats: usize, error: &SendError) -> bool {
        let before = self.failing.take();
        let class = error.class();
        let is_change = before.as_ref().is_none_or(|before| before.class != class);
        let beats = before.map_or(0, |before| before.beats) + u64::try_from(beats).unwrap_or(u64::MAX);
        self.failing = Some(Failing { class, beats });
        is_change
    }

    /// The registries that are preferred to the one that takes batches, if it is time to try them; it is not again for a
    /// while, so that of several batches one does.
    pub(super) fn preferred(&mut self, now: Duration) -> Range<usize> {
        let preferred = self.route.to_try(now);
        if !preferred.is_empty() {
            self.route.rest(now);
        }
        preferred
    }

    /// A preferred registry took a batch that another has taken, too. Returns whether batches go there from now on.
    pub(super) fn took_again(&mut self, registry: usize, now: Duration) -> bool {
        registry < self.route.current() && self.route.took(registry, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn way(registries: usize) -> Way {
        Way::new(registries, Spread::of("hive-1"))
    }

    fn moved(way: &mut Way, registry: usize, first: usize, now: Duration) -> bool {
        way.took(registry, first, now).has_moved
    }

    #[test]
    fn batches_stay_with_the_registry_that_took_one_after_another_missed_it() {
        let mut way = way(3);
        assert_eq!(way.choices(), [0, 1, 2]);
        assert!(moved(&mut way, 1, 0, S));
        assert_eq!(way.choices(), [1, 0, 2]);
        assert!(!moved(&mut way, 1, 0, S), "those that were on their way as well");
        assert!(!moved(&mut way, 0, 0, S), "also where the first was only slow");
        assert_eq!(way.choices(), [1, 0, 2]);
    }

    #[test]
    fn one_batch_a_minute_tries_the_preferred_registries() {
        let mut way = way(3);
        way.took(2, 0, S);
        assert!(way.preferred(40 * S).is_empty());
        assert_eq!(way.preferred(80 * S), 0..2);
        assert!(way.preferred(80 * S).is_empty(), "another batch does");
        assert!(way.took_again(1, 81 * S));
        assert_eq!(way.choices(), [1, 0, 2]);
        assert_eq!(way.preferred(160 * S), 0..1);
        assert!(way.took_again(0, 161 * S));
        assert!(!way.took_again(1, 161 * S), "nothing leads away from the first but a miss");
        assert!(way.preferred(9_000 * S).is_empty());
    }

    #[test]
    fn only_changes_are_worth_a_line_and_recovery_counts_the_beats() {
        let mut way = way(1);
        let refused = |way: &mut Way| way.took(0, 0, S).refused;
        assert_eq!(refused(&mut way), None);
        assert!(way.failed(100, &SendError::timeout(S)));
        assert!(!way.failed(20, &SendError::timeout(S)));
        assert!(way.failed(3, &SendError::connect("queen", "refused")));
        assert!(!way.failed(4, &SendError::connect("queen", "refused")));
        assert_eq!(refused(&mut way), Some(127));
        assert_eq!(refused(&mut way), None);
        assert!(way.failed(1, &SendError::connect("queen", "refused")));
    }
}
