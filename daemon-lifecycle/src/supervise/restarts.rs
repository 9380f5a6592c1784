use std::{collections::VecDeque, time::Duration};

use crate::poll::Delays;

/// After which ends a daemon is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RestartPolicy {
    /// After none.
    Never,
    /// After all but an exit with 0 by itself.
    #[default]
    OnFailure,
    /// After all.
    Always,
}

/// How many starts in how short a time are a crash loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartLimit {
    /// So many starts; one more within [`window`](Self::window) is not made. At least 1.
    pub starts: u32,
    /// How far back they count.
    pub window: Duration,
}

impl Default for StartLimit {
    /// 5 in 10 s, as systemd has it.
    fn default() -> Self {
        Self { starts: 5, window: Duration::from_secs(10) }
    }
}

/// The pauses between an end and the next start, and what makes them short again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) multiplier: f64,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
    pub(crate) stable_after: Duration,
}

impl Backoff {
    fn delays(&self) -> Delays {
        Delays::new(self.initial, self.multiplier, self.max, self.jitter, None)
    }
}

/// How a run ended, as far as that matters for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with 0.
    Clean,
    Failure,
    /// By an order to start another.
    Ordered,
}

/// What follows the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    StartAfter(Duration),
    Over,
    CrashLoop(StartLimit),
}

/// Whether and when a daemon is started again. Takes the time as an argument, from any fixed origin.
#[derive(Debug)]
pub(crate) struct Restarts {
    policy: RestartPolicy,
    limit: Option<StartLimit>,
    backoff: Backoff,
    delays: Delays,
    /// Of the last starts, at most as many as the limit allows.
    starts: VecDeque<Duration>,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy, limit: Option<StartLimit>, backoff: Backoff) -> Self {
        Self { policy, limit, backoff, delays: backoff.delays(), starts: VecDeque::new() }
    }

    pub(crate) fn started(&mut self, now: Duration) {
        let Some(limit) = self.limit else { return };
        self.starts.push_back(now);
        while self.starts.len() > usize::try_from(limit.starts).unwrap_or(usize::MAX) {
            self.starts.pop_front();
        }
    }

    /// What follows an end after `healthy_for`, the time since the daemon was ready.
    pub(crate) fn ended(&mut self, ending: Ending, healthy_for: Duration, now: Duration) -> Next {
        if healthy_for >= self.backoff.stable_after {
            self.delays = self.backoff.delays();
        }
        let delay = match (self.policy, ending) {
            (_, Ending::Ordered) => return Next::StartAfter(Duration::ZERO),
            (RestartPolicy::Never, _) | (RestartPolicy::OnFailure, Ending::Clean) => return Next::Over,
            (RestartPolicy::OnFailure, Ending::Failure) | (RestartPolicy::Always, _) => {
                self.delays.next().unwrap_or(self.backoff.max)
            }
        };
        match self.limit {
            Some(limit) if self.is_too_soon(limit, now.saturating_add(delay)) => Next::CrashLoop(limit),
            _ => Next::StartAfter(delay),
        }
    }

    fn is_too_soon(&self, limit: StartLimit, next_start: Duration) -> bool {
        let recent = self.starts.iter().filter(|start| next_start.saturating_sub(**start) < limit.window).count();
        recent >= usize::try_from(limit.starts).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Duration, Ending, Next, RestartPolicy, Restarts, StartLimit};

    const SECOND: Duration = Duration::from_secs(1);

    /// Pauses of 1, 2, 4 .. up to 60 s, anew after 30 s of health.
    fn restarts(policy: RestartPolicy, limit: Option<StartLimit>) -> Restarts {
        let backoff =
            Backoff { initial: SECOND, multiplier: 2.0, max: 60 * SECOND, jitter: 0.0, stable_after: 30 * SECOND };
        Restarts::new(policy, limit, backoff)
    }

    fn fail(restarts: &mut Restarts, now: Duration) -> Next {
        restarts.ended(Ending::Failure, Duration::ZERO, now)
    }

    #[test]
    fn each_policy_has_its_ends() {
        use Ending::{Clean, Failure, Ordered};
        use RestartPolicy::{Always, Never, OnFailure};
        for (policy, ending, again) in [
            (Never, Clean, false),
            (Never, Failure, false),
            (Never, Ordered, true),
            (OnFailure, Clean, false),
            (OnFailure, Failure, true),
            (OnFailure, Ordered, true),
            (Always, Clean, true),
            (Always, Failure, true),
            (Always, Ordered, true),
        ] {
            let next = restarts(policy, None).ended(ending, Duration::ZERO, SECOND);
            assert_eq!(next != Next::Over, again, "{policy:?} {ending:?}");
        }
    }

    #[test]
    fn the_pause_grows_with_each_failure_and_is_capped() {
        let mut restarts = restarts(RestartPolicy::OnFailure, None);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(fail(&mut restarts, SECOND), Next::StartAfter(seconds * SECOND));
        }
    }

    #[test]
    fn the_pause_is_short_again_after_a_stable_run_and_only_then() {
        let mut restarts = restarts(RestartPolicy::OnFailure, None);
        let mut after = |healthy_for| restarts.ended(Ending::Failure, healthy_for * SECOND, 1_000 * SECOND);
        assert_eq!(after(0), Next::StartAfter(SECOND));
        assert_eq!(after(29), Next::StartAfter(2 * SECOND));
        assert_eq!(after(30), Next::StartAfter(SECOND));
        assert_eq!(after(0), Next::StartAfter(2 * SECOND));
    }

    #[test]
    fn a_restart_by_order_is_made_at_once_and_lengthens_no_pause() {
        let mut restarts = restarts(RestartPolicy::OnFailure, Some(StartLimit { starts: 1, window: 9 * SECOND }));
        restarts.started(Duration::ZERO);
        assert_eq!(restarts.ended(Ending::Ordered, Duration::ZERO, SECOND), Next::StartAfter(Duration::ZERO));
        assert_eq!(fail(&mut restarts, 20 * SECOND), Next::StartAfter(SECOND));
    }

    #[test]
    fn a_crash_loop_is_given_up() {
        let limit = StartLimit { starts: 3, window: 10 * SECOND };
        let mut restarts = restarts(RestartPolicy::Always, Some(limit));
        // Starts at 0, 1 and 3 s; the next would be at 7 s.
        let mut now = Duration::ZERO;
        for delay in [1, 2] {
            restarts.started(now);
            assert_eq!(fail(&mut restarts, now), Next::StartAfter(delay * SECOND));
            now += delay * SECOND;
        }
        restarts.started(now);
        assert_eq!(fail(&mut restarts, now), Next::CrashLoop(limit));
    }

    #[test]
    fn starts_that_are_further_apart_are_no_crash_loop() {
        let limit = StartLimit { starts: 3, window: 10 * SECOND };
        let mut restarts = restarts(RestartPolicy::Always, Some(limit));
        for start in [0, 4, 8, 12, 16, 20] {
            restarts.started(start * SECOND);
            // Each run ends in time for the next to start 4 s after it, the pause included.
            restarts.delays = restarts.backoff.delays();
            assert_eq!(fail(&mut restarts, start * SECOND + 3 * SECOND), Next::StartAfter(SECOND), "{start}");
        }
    }
}
