use std::time::Duration;

use super::GaveUp;
use crate::{delays::Delays, probe::ProbeError};

/// The longest that a server which asks to be asked later is obeyed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// When to try again and when to give up: plain arithmetic on the time elapsed since the wait began.
#[derive(Debug)]
pub(crate) struct Pacing {
    patience: Patience,
    delays: Delays,
    /// Failures that count against `max_attempts`.
    failures: u32,
    furthest: Option<Permille>,
    /// Until when growing progress has bought time.
    extended: Duration,
}

/// What bounds a wait, as [`HealthPoll`](super::HealthPoll) has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) max_attempts: u32,
    pub(crate) attempt_timeout: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) stall_timeout: Option<Duration>,
    /// No `Retry-After` is obeyed sooner.
    pub(crate) initial_delay: Duration,
}

/// Progress as far as it counts as such: finer steps would let a wait go on for ever.
type Permille = u16;

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    AttemptIn(Duration),
    GiveUp(GaveUp),
}

/// What a failed attempt says about when to try again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    pub(crate) retry_after: Option<Duration>,
    pub(crate) progress: Option<f64>,
}

impl From<&ProbeError> for Said {
    fn from(error: &ProbeError) -> Self {
        Self { retry_after: error.retry_after(), progress: error.progress() }
    }
}

impl Pacing {
    pub(crate) fn new(patience: Patience, delays: Delays) -> Self {
        Self { patience, delays, failures: 0, furthest: None, extended: Duration::ZERO }
    }

    /// How long an attempt begun now may take. After the deadline, as when a pause took longer than it should have,
    /// there is none: it would time out at once and hide how the last true one failed.
    pub(crate) fn attempt_timeout(&self, elapsed: Duration) -> Result<Duration, GaveUp> {
        let Some(deadline) = self.deadline() else {
            return Ok(self.patience.attempt_timeout);
        };
        match deadline.saturating_sub(elapsed) {
            Duration::ZERO => Err(GaveUp::DeadlineExceeded(deadline)),
            left => Ok(self.patience.attempt_timeout.min(left)),
        }
    }

    /// What follows when another attempt has failed.
    pub(crate) fn failed(&mut self, elapsed: Duration, said: Said) -> Next {
        if !self.grew(elapsed, said.progress) {
            self.failures += 1;
        }
        if self.failures >= self.patience.max_attempts {
            return Next::GiveUp(GaveUp::AttemptsExhausted);
        }
        let own = self.delays.next().unwrap_or(Duration::MAX);
        let delay = match said.retry_after {
            // Who says "at once" is still not asked without a pause.
            Some(wanted) => self.delays.later(wanted.min(MAX_RETRY_AFTER).max(self.patience.initial_delay)),
            None => own,
        };
        self.fit(elapsed, delay)
    }

    /// What follows a success that is not the last one needed.
    pub(crate) fn succeeded(&mut self, elapsed: Duration, pause: Duration) -> Next {
        self.fit(elapsed, pause)
    }

    /// The deadline that holds now.
    fn deadline(&self) -> Option<Duration> {
        self.patience.deadline.map(|deadline| deadline.max(self.extended))
    }

    /// Whether the daemon has got further than ever, which buys it time.
    fn grew(&mut self, elapsed: Duration, progress: Option<f64>) -> bool {
        let (Some(stall_timeout), Some(progress)) = (self.patience.stall_timeout, progress) else {
            return false;
        };
        let reached = (progress * 1_000.0) as Permille;
        let grew = self.furthest.is_none_or(|furthest| reached > furthest);
        if grew {
            self.furthest = Some(reached);
            self.extended = elapsed.saturating_add(stall_timeout);
        }
        grew
    }

    fn fit(&self, elapsed: Duration, delay: Duration) -> Next {
        let Some(deadline) = self.deadline() else {
            return Next::AttemptIn(delay);
        };
        let latest_start = deadline - self.patience.attempt_timeout.min(deadline / 10);
        match latest_start.checked_sub(elapsed) {
            Some(room) if !room.is_zero() => Next::AttemptIn(delay.min(room)),
            _ if elapsed.saturating_add(delay) < deadline => Next::AttemptIn(delay),
            _ => Next::GiveUp(GaveUp::DeadlineExceeded(deadline)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delays, GaveUp, Next, Pacing, Patience, Said};

    const NOTHING: Said = Said { retry_after: None, progress: None };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn retry_after(after: Duration) -> Said {
        Said { retry_after: Some(after), ..NOTHING }
    }

    fn progress(progress: f64) -> Said {
        Said { progress: Some(progress), ..NOTHING }
    }

    /// Ten attempts, each of at most 2 s.
    fn ten() -> Patience {
        Patience {
            max_attempts: 10,
            attempt_timeout: seconds(2),
            deadline: None,
            stall_timeout: None,
            initial_delay: seconds(4),
        }
    }

    /// Those, 4 s apart.
    fn patient(deadline: Option<Duration>, stall_timeout: Option<Duration>) -> Pacing {
        let delays = Delays::new(seconds(4), 1.0, seconds(60), 0.0, None);
        Pacing::new(Patience { deadline, stall_timeout, ..ten() }, delays)
    }

    fn pacing(deadline: Option<Duration>) -> Pacing {
        patient(deadline, None)
    }

    #[test]
    fn without_a_deadline_only_the_attempts_end_the_wait() {
        let mut pacing = pacing(None);
        for _ in 1..10 {
            assert_eq!(pacing.failed(seconds(9_999), NOTHING), Next::AttemptIn(seconds(4)));
        }
        assert_eq!(pacing.failed(seconds(1), NOTHING), Next::GiveUp(GaveUp::AttemptsExhausted));
    }

    #[test]
    fn the_last_sleep_is_cut_to_the_deadline() {
        let mut pacing = pacing(Some(seconds(60)));
        let over = Next::GiveUp(GaveUp::DeadlineExceeded(seconds(60)));
        assert_eq!(pacing.failed(seconds(50), NOTHING), Next::AttemptIn(seconds(4)));
        // So that one more attempt of 2 s fits.
        assert_eq!(pacing.failed(seconds(55), NOTHING), Next::AttemptIn(seconds(3)));
        assert_eq!(pacing.failed(seconds(58), NOTHING), over);
        assert_eq!(pacing.failed(seconds(61), NOTHING), over);
    }

    #[test]
    fn a_short_deadline_keeps_a_tenth_for_the_last_attempt() {
        let mut pacing = pacing(Some(seconds(1)));
        let room = Duration::from_millis(900);
        assert_eq!(pacing.failed(Duration::ZERO, NOTHING), Next::AttemptIn(room));
        assert_eq!(pacing.failed(room, NOTHING), Next::GiveUp(GaveUp::DeadlineExceeded(seconds(1))));
    }

    #[test]
    fn an_attempt_is_cut_off_at_the_deadline() {
        let pacing = pacing(Some(seconds(60)));
        assert_eq!(pacing.attempt_timeout(seconds(30)), Ok(seconds(2)));
        assert_eq!(pacing.attempt_timeout(seconds(59)), Ok(seconds(1)));
        for elapsed in [60, 61] {
            assert_eq!(pacing.attempt_timeout(seconds(elapsed)), Err(GaveUp::DeadlineExceeded(seconds(60))));
        }
    }

    #[test]
    fn the_retry_after_of_a_warming_server_is_honoured_whether_it_is_sooner_or_later() {
        let delays = Delays::new(seconds(4), 2.0, seconds(60), 0.0, None);
        let mut pacing = Pacing::new(ten(), delays);
        assert_eq!(pacing.failed(seconds(0), retry_after(seconds(30))), Next::AttemptIn(seconds(30)));
        assert_eq!(pacing.failed(seconds(30), NOTHING), Next::AttemptIn(seconds(8)));
        assert_eq!(pacing.failed(seconds(38), retry_after(seconds(7))), Next::AttemptIn(seconds(7)));
    }

    #[test]
    fn a_retry_after_is_bounded_by_the_initial_delay_a_minute_and_the_deadline() {
        let mut open = pacing(None);
        assert_eq!(open.failed(seconds(0), retry_after(Duration::ZERO)), Next::AttemptIn(seconds(4)));
        for endless in [seconds(3_600), Duration::MAX] {
            assert_eq!(open.failed(seconds(0), retry_after(endless)), Next::AttemptIn(seconds(60)));
        }
        let mut bounded = pacing(Some(seconds(20)));
        assert_eq!(bounded.failed(seconds(0), retry_after(seconds(59))), Next::AttemptIn(seconds(18)));
    }

    #[test]
    fn who_is_told_to_ask_at_once_still_pauses_whatever_the_jitter() {
        for seed in 0..50 {
            let delays = Delays::new(seconds(4), 1.0, seconds(60), 1.0, Some(seed));
            let next = Pacing::new(ten(), delays).failed(seconds(0), retry_after(Duration::ZERO));
            let Next::AttemptIn(delay) = next else { panic!("{next:?}") };
            assert!((seconds(4)..=seconds(4).mul_f64(1.1)).contains(&delay), "{delay:?}");
        }
    }

    #[test]
    fn waiters_who_are_told_the_same_time_come_back_spread_and_never_before_it() {
        let told = |seed| {
            let delays = Delays::new(seconds(1), 1.0, seconds(60), 0.1, Some(seed));
            let mut pacing = Pacing::new(Patience { initial_delay: seconds(1), ..ten() }, delays);
            match pacing.failed(seconds(0), retry_after(seconds(20))) {
                Next::AttemptIn(delay) => delay,
                given_up @ Next::GiveUp(_) => panic!("{given_up:?}"),
            }
        };
        let delays: Vec<Duration> = (0..50).map(told).collect();
        assert!(delays.iter().all(|delay| (seconds(20)..=seconds(22)).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay > seconds(21)), "{delays:?}");
    }

    #[test]
    fn the_deadline_is_extended_only_while_progress_grows() {
        let mut pacing = patient(Some(seconds(10)), Some(seconds(30)));
        assert_eq!(pacing.failed(seconds(4), progress(0.1)), Next::AttemptIn(seconds(4)));
        assert_eq!(pacing.failed(seconds(12), progress(0.2)), Next::AttemptIn(seconds(4)));
        // Until 42 s now. Standing still, falling back and less than a tenth of a percent buy nothing.
        for stalled in [0.2, 0.1, 0.2009] {
            assert_eq!(pacing.failed(seconds(20), progress(stalled)), Next::AttemptIn(seconds(4)), "{stalled}");
        }
        assert_eq!(pacing.attempt_timeout(seconds(41)), Ok(seconds(1)));
        let stalled = GaveUp::DeadlineExceeded(seconds(42));
        assert_eq!(pacing.attempt_timeout(seconds(42)), Err(stalled));
        assert_eq!(pacing.failed(seconds(41), progress(0.2)), Next::GiveUp(stalled));
        // Too late for the wait, but not for the arithmetic.
        assert_eq!(pacing.failed(seconds(41), progress(0.3)), Next::AttemptIn(seconds(4)));
    }

    #[test]
    fn a_deadline_is_never_brought_forward_by_progress() {
        let mut pacing = patient(Some(seconds(60)), Some(seconds(1)));
        assert_eq!(pacing.failed(seconds(4), progress(0.5)), Next::AttemptIn(seconds(4)));
        assert_eq!(pacing.attempt_timeout(seconds(30)), Ok(seconds(2)));
    }

    #[test]
    fn attempts_that_find_the_daemon_further_do_not_count() {
        let mut pacing = patient(None, Some(seconds(30)));
        for step in 0_u32..100 {
            let next = pacing.failed(seconds(1), progress(f64::from(step) / 100.0));
            assert_eq!(next, Next::AttemptIn(seconds(4)), "{step}");
        }
        for _ in 1..10 {
            assert_eq!(pacing.failed(seconds(1), progress(0.99)), Next::AttemptIn(seconds(4)));
        }
        assert_eq!(pacing.failed(seconds(1), progress(0.99)), Next::GiveUp(GaveUp::AttemptsExhausted));
    }

    #[test]
    fn without_a_stall_timeout_progress_changes_nothing() {
        let mut pacing = pacing(Some(seconds(10)));
        assert_eq!(pacing.failed(seconds(9), progress(0.9)), Next::GiveUp(GaveUp::DeadlineExceeded(seconds(10))));
    }
}
