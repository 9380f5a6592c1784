//! Which of several registries a beat goes to. Plain arithmetic: times are durations since the loop started.

use std::ops::Range;
use std::time::Duration;

use crate::spread::Spread;

/// How long a preferred registry is left alone after a failure: this, and up to half as much again or less.
const REST: Duration = Duration::from_secs(60);

/// Stays with a registry until it fails a beat, and returns to those that are preferred to it once they take one.
/// Registries are numbered by preference, from 0.
#[derive(Debug)]
pub(crate) struct Route {
    registries: usize,
    current: usize,
    /// When to try the preferred ones; only while there are any.
    return_at: Option<Duration>,
    spread: Spread,
}

impl Route {
    pub(crate) fn new(registries: usize, spread: Spread) -> Self {
        Self { registries, current: 0, return_at: None, spread }
    }

    /// Where the next beat goes first.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// The registry that a beat tries after so many others: the current one, then the rest by preference.
    pub(crate) fn choice(&self, tried: usize) -> Option<usize> {
        let rest = (0..self.registries).filter(|registry| *registry != self.current);
        std::iter::once(self.current).chain(rest).nth(tried)
    }

    /// A registry took a beat: the next ones go there. Returns whether that is a change.
    pub(crate) fn took(&mut self, registry: usize, now: Duration) -> bool {
        let has_moved = registry != self.current;
        self.current = registry;
        match registry {
            0 => self.return_at = None,
            _ if has_moved || self.return_at.is_none() => self.rest(now),
            _ => {}
        }
        has_moved
    }

    /// No registry took a beat, and there was time to try only so many: the next beat begins with another. Returns whether
    /// that is a change.
    pub(crate) fn gave_up_after(&mut self, tried: usize) -> bool {
        let next = self.choice(tried);
        self.current = next.unwrap_or(self.current);
        next.is_some()
    }

    /// The registries that are preferred to the one that has just taken a beat, if it is time to try them with it.
    pub(crate) fn to_try(&self, now: Duration) -> Range<usize> {
        let is_time = self.return_at.is_some_and(|at| at <= now);
        0..if is_time { self.current } else { 0 }
    }

    /// Leaves the preferred registries alone for a while.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.return_at = Some(now + REST * 3 / 4 + self.spread.below(REST / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn route(registries: usize) -> Route {
        Route::new(registries, Spread::of("worker-123"))
    }

    fn choices(route: &Route) -> Vec<usize> {
        (0..).map_while(|tried| route.choice(tried)).collect()
    }

    #[test]
    fn a_beat_tries_the_current_registry_and_then_the_others_by_preference() {
        let mut route = route(4);
        assert_eq!(choices(&route), [0, 1, 2, 3]);
        assert!(route.took(2, S));
        assert_eq!(choices(&route), [2, 0, 1, 3]);
        assert!(!route.took(2, 2 * S), "sticky");
        assert_eq!(choices(&route), [2, 0, 1, 3]);
    }

    #[test]
    fn preferred_registries_are_tried_after_about_a_minute_and_about_every_minute() {
        let mut route = route(3);
        assert!(route.to_try(9_000 * S).is_empty(), "the first is preferred to all");
        route.took(2, 100 * S);
        for from in [100, 200, 300] {
            assert!(route.to_try((from + 44) * S).is_empty());
            assert_eq!(route.to_try((from + 75) * S), 0..2);
            route.took(2, (from + 75) * S);
            assert_eq!(route.to_try((from + 75) * S), 0..2, "one that is taken meanwhile changes nothing");
            route.rest((from + 100) * S);
        }
        route.took(1, 401 * S);
        assert!(route.to_try(420 * S).is_empty());
        assert_eq!(route.to_try(480 * S), 0..1);
        route.took(0, 480 * S);
        assert!(route.to_try(9_000 * S).is_empty());
    }

    #[test]
    fn members_that_lost_a_registry_at_once_do_not_return_at_once() {
        let returning = |id: usize| {
            let mut route = Route::new(2, Spread::of(&format!("worker-{id}")));
            route.took(1, Duration::ZERO);
            route.to_try(60 * S).is_empty()
        };
        let late = (0..1000).filter(|id| returning(*id)).count();
        assert!((400..600).contains(&late), "{late} of 1000 within a minute");
    }

    #[test]
    fn a_registry_that_took_all_the_time_is_not_the_next_ones_first() {
        let mut route = route(2);
        assert!(route.gave_up_after(1));
        assert_eq!(route.current(), 1);
        assert!(!route.gave_up_after(2), "all had their turn");
        assert_eq!(route.current(), 1);
    }
}
