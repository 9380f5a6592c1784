//! Whether, and when, what has ended runs again.

use std::{collections::VecDeque, fmt, time::Duration};

use crate::{delays::Delays, readable::Readable};

/// After which ends something runs again.
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

/// How a run ended, as far as that matters for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with 0.
    Clean,
    /// In any other way that nobody asked for.
    Failure,
    /// By an order to start another.
    Ordered,
}

/// What follows the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum NextRun {
    /// Another run, after this pause.
    After(Duration),
    /// None: the policy wants no other.
    Over,
    /// None: there were too many.
    GivenUp(CrashLoop),
}

/// What was too much. `Display` says it in words: `5 starts in 10 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashLoop {
    /// So many starts within a time.
    Starts(StartLimit),
    /// So many restarts in a row, without a run between them that was stable.
    InARow(u32),
}

impl fmt::Display for CrashLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts(StartLimit { starts, window }) => {
                write!(f, "{starts} start{} in {}", plural(*starts), Readable(*window))
            }
            Self::InARow(restarts) => write!(f, "{restarts} restart{} in a row", plural(*restarts)),
        }
    }
}

fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Whether, and when, what has ended runs again: a policy, growing pauses, and two guards against crash loops. Plain
/// arithmetic, which takes the time as an argument, from any fixed origin.
///
/// | setting | default |
/// |---|---|
/// | [`backoff`](Self::backoff) | pauses of 100 ms, 200 ms, 400 ms .. up to 30 s |
/// | [`jitter`](Self::jitter) | a tenth of each either way is left to chance |
/// | [`stable_after`](Self::stable_after) | 60 s |
/// | [`start_limit`](Self::start_limit) | 5 starts in 10 s |
/// | [`restart_limit`](Self::restart_limit) | none |
///
/// The settings are for the beginning: each starts the series of pauses anew.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use daemon_lifecycle::{CrashLoop, Ending, NextRun, RestartPolicy, Restarts};
///
/// let second = Duration::from_secs(1);
/// let mut restarts =
///     Restarts::new(RestartPolicy::OnFailure).backoff(second, 60 * second).jitter(0.0).restart_limit(2);
/// let mut now = Duration::ZERO;
/// for pause in [1, 2] {
///     restarts.started(now);
///     now += second;
///     assert_eq!(restarts.ended(Ending::Failure, second, now), NextRun::After(pause * second));
///     now += pause * second;
/// }
/// restarts.started(now);
/// let next = restarts.ended(Ending::Failure, second, now + second);
/// assert_eq!(next, NextRun::GivenUp(CrashLoop::InARow(2)));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Restarts {
    policy: RestartPolicy,
    initial: Duration,
    max: Duration,
    jitter: f64,
    stable_after: Duration,
    start_limit: Option<StartLimit>,
    restart_limit: Option<u32>,
    delays: Delays,
    /// Of the last starts, at most as many as the limit allows.
    starts: VecDeque<Duration>,
    in_a_row: u32,
}

impl Restarts {
    /// By this policy, with the defaults.
    pub fn new(policy: RestartPolicy) -> Self {
        let (initial, max, jitter) = (Duration::from_millis(100), Duration::from_secs(30), 0.1);
        Self {
            policy,
            initial,
            max,
            jitter,
            stable_after: Duration::from_secs(60),
            start_limit: Some(StartLimit::default()),
            restart_limit: None,
            delays: doubling(initial, max, jitter),
            starts: VecDeque::new(),
            in_a_row: 0,
        }
    }

    /// After which ends another run follows.
    pub fn policy(self, policy: RestartPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The pause before the next run is `initial` first and twice as long each time, but never longer than `max`.
    pub fn backoff(self, initial: Duration, max: Duration) -> Self {
        Self { initial, max, delays: doubling(initial, max, self.jitter), ..self }
    }

    /// Which fraction of each pause is left to chance, either way; from 0 to 1. It makes none longer than the longest.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, delays: doubling(self.initial, self.max, jitter), ..self }
    }

    /// A run that was up for so long is no part of a crash: the pause after it is short again, and no restart before it
    /// counts as one in a row.
    pub fn stable_after(self, uptime: Duration) -> Self {
        Self { stable_after: uptime, ..self }
    }

    /// How many starts in how short a time are too many, if any.
    pub fn start_limit(self, limit: impl Into<Option<StartLimit>>) -> Self {
        Self { start_limit: limit.into(), ..self }
    }

    /// How many restarts in a row are made at most, if there is a limit: without a stable run between them. Those by
    /// order do not count.
    pub fn restart_limit(self, limit: impl Into<Option<u32>>) -> Self {
        Self { restart_limit: limit.into(), ..self }
    }

    /// A run begins.
    pub fn started(&mut self, now: Duration) {
        let Some(limit) = self.start_limit else { return };
        self.starts.push_back(now);
        while self.starts.len() > usize::try_from(limit.starts).unwrap_or(usize::MAX) {
            self.starts.pop_front();
        }
    }

    /// What follows an end after `up_for`, the time since the run was up: since it was ready where that is known, else
    /// since it was started.
    pub fn ended(&mut self, ending: Ending, up_for: Duration, now: Duration) -> NextRun {
        if up_for >= self.stable_after {
            self.delays = doubling(self.initial, self.max, self.jitter);
            self.in_a_row = 0;
        }
        match (self.policy, ending) {
            (_, Ending::Ordered) => return NextRun::After(Duration::ZERO),
            (RestartPolicy::Never, _) | (RestartPolicy::OnFailure, Ending::Clean) => return NextRun::Over,
            (RestartPolicy::OnFailure, Ending::Failure) | (RestartPolicy::Always, _) => {}
        }
        if let Some(limit) = self.restart_limit.filter(|limit| self.in_a_row >= *limit) {
            return NextRun::GivenUp(CrashLoop::InARow(limit));
        }
        let delay = self.delays.next().unwrap_or(self.max);
        match self.start_limit {
            Some(limit) if self.is_too_soon(limit, now.saturating_add(delay)) => {
                NextRun::GivenUp(CrashLoop::Starts(limit))
            }
            _ => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                NextRun::After(delay)
            }
        }
    }

    fn is_too_soon(&self, limit: StartLimit, next_start: Duration) -> bool {
        let recent = self.starts.iter().filter(|start| next_start.saturating_sub(**start) < limit.window).count();
        recent >= usize::try_from(limit.starts).unwrap_or(usize::MAX)
    }
}

fn doubling(initial: Duration, max: Duration, jitter: f64) -> Delays {
    Delays::new(initial, 2.0, max, jitter, None)
}

#[cfg(test)]
mod tests {
    use super::{CrashLoop, Duration, Ending, NextRun, RestartPolicy, Restarts, StartLimit};

    const SECOND: Duration = Duration::from_secs(1);

    /// Pauses of 1, 2, 4 .. up to 60 s, anew after 30 s of being up, and no limit.
    fn restarts(policy: RestartPolicy) -> Restarts {
        let restarts = Restarts::new(policy).backoff(SECOND, 60 * SECOND).jitter(0.0);
        restarts.stable_after(30 * SECOND).start_limit(None)
    }

    fn fail(restarts: &mut Restarts, now: Duration) -> NextRun {
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
            let next = restarts(policy).ended(ending, Duration::ZERO, SECOND);
            assert_eq!(next != NextRun::Over, again, "{policy:?} {ending:?}");
        }
    }

    #[test]
    fn the_pause_grows_with_each_failure_and_is_capped() {
        let mut restarts = restarts(RestartPolicy::OnFailure);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(fail(&mut restarts, SECOND), NextRun::After(seconds * SECOND));
        }
    }

    #[test]
    fn the_pause_is_short_again_after_a_stable_run_and_only_then() {
        let mut restarts = restarts(RestartPolicy::OnFailure);
        let mut after = |up_for| restarts.ended(Ending::Failure, up_for * SECOND, 1_000 * SECOND);
        assert_eq!(after(0), NextRun::After(SECOND));
        assert_eq!(after(29), NextRun::After(2 * SECOND));
        assert_eq!(after(30), NextRun::After(SECOND));
        assert_eq!(after(0), NextRun::After(2 * SECOND));
    }

    #[test]
    fn pauses_are_left_to_chance_by_the_fraction_that_is_set() {
        let pause = |jitter| {
            let mut restarts = restarts(RestartPolicy::OnFailure).jitter(jitter);
            let NextRun::After(pause) = fail(&mut restarts, SECOND) else { panic!("it failed") };
            pause
        };
        let pauses: Vec<Duration> = (0..100).map(|_| pause(0.5)).collect();
        assert!(pauses.iter().all(|pause| (SECOND / 2..=SECOND * 3 / 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause < SECOND * 3 / 4), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause > SECOND * 5 / 4), "{pauses:?}");
    }

    #[test]
    fn a_restart_by_order_is_made_at_once_lengthens_no_pause_and_is_none_in_a_row() {
        let limit = StartLimit { starts: 1, window: 9 * SECOND };
        let mut restarts = restarts(RestartPolicy::OnFailure).start_limit(limit).restart_limit(1);
        restarts.started(Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(restarts.ended(Ending::Ordered, Duration::ZERO, SECOND), NextRun::After(Duration::ZERO));
        }
        assert_eq!(fail(&mut restarts, 20 * SECOND), NextRun::After(SECOND));
    }

    #[test]
    fn too_many_starts_within_a_time_are_given_up() {
        let limit = StartLimit { starts: 3, window: 10 * SECOND };
        let mut restarts = restarts(RestartPolicy::Always).start_limit(limit);
        // Starts at 0, 1 and 3 s; the next would be at 7 s.
        let mut now = Duration::ZERO;
        for delay in [1, 2] {
            restarts.started(now);
            assert_eq!(fail(&mut restarts, now), NextRun::After(delay * SECOND));
            now += delay * SECOND;
        }
        restarts.started(now);
        assert_eq!(fail(&mut restarts, now), NextRun::GivenUp(CrashLoop::Starts(limit)));
        assert_eq!(CrashLoop::Starts(limit).to_string(), "3 starts in 10 s");
    }

    #[test]
    fn starts_that_are_further_apart_are_no_crash_loop() {
        let limit = StartLimit { starts: 3, window: 10 * SECOND };
        let mut restarts = restarts(RestartPolicy::Always).backoff(SECOND, SECOND).start_limit(limit);
        for start in [0, 4, 8, 12, 16, 20] {
            restarts.started(start * SECOND);
            // Each run ends in time for the next to start 4 s after it, the pause included.
            assert_eq!(fail(&mut restarts, start * SECOND + 3 * SECOND), NextRun::After(SECOND), "{start}");
        }
    }

    #[test]
    fn too_many_restarts_in_a_row_are_given_up_however_far_apart_and_a_stable_run_ends_the_row() {
        let mut restarts = restarts(RestartPolicy::Always).restart_limit(2);
        let mut after = |up_for, hour: u32| restarts.ended(Ending::Clean, up_for * SECOND, hour * 3_600 * SECOND);
        assert_eq!(after(0, 1), NextRun::After(SECOND));
        assert_eq!(after(29, 2), NextRun::After(2 * SECOND));
        assert_eq!(after(29, 3), NextRun::GivenUp(CrashLoop::InARow(2)));
        assert_eq!(after(30, 4), NextRun::After(SECOND));
        assert_eq!(CrashLoop::InARow(2).to_string(), "2 restarts in a row");
        assert_eq!(CrashLoop::InARow(1).to_string(), "1 restart in a row");
    }

    #[test]
    fn a_limit_of_no_restart_allows_none() {
        let mut restarts = restarts(RestartPolicy::Always).restart_limit(0);
        assert_eq!(fail(&mut restarts, SECOND), NextRun::GivenUp(CrashLoop::InARow(0)));
    }
}
