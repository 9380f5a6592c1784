use std::time::Duration;

use super::{GaveUp, delays::Delays};

/// When to try again and when to give up: plain arithmetic on the time elapsed since the wait began.
#[derive(Debug)]
pub(crate) struct Pacing {
    pub(crate) max_attempts: u32,
    pub(crate) attempt_timeout: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) delays: Delays,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    AttemptIn(Duration),
    AttemptsExhausted,
    DeadlineExceeded(Duration),
}

impl Pacing {
    /// How long an attempt begun now may take. After the deadline, as when a pause took longer than it should have,
    /// there is none: it would time out at once and hide how the last true one failed.
    pub(crate) fn attempt_timeout(&self, elapsed: Duration) -> Result<Duration, GaveUp> {
        let Some(deadline) = self.deadline else {
            return Ok(self.attempt_timeout);
        };
        match deadline.saturating_sub(elapsed) {
            Duration::ZERO => Err(GaveUp::DeadlineExceeded(deadline)),
            left => Ok(self.attempt_timeout.min(left)),
        }
    }

    /// What follows when attempt number `attempt` has failed.
    pub(crate) fn next(&mut self, attempt: u32, elapsed: Duration) -> Next {
        if attempt >= self.max_attempts {
            return Next::AttemptsExhausted;
        }
        let delay = self.delays.next().unwrap_or(Duration::MAX);
        let Some(deadline) = self.deadline else {
            return Next::AttemptIn(delay);
        };
        let latest_start = deadline - self.attempt_timeout.min(deadline / 10);
        match latest_start.checked_sub(elapsed) {
            Some(room) if !room.is_zero() => Next::AttemptIn(delay.min(room)),
            _ if elapsed.saturating_add(delay) < deadline => Next::AttemptIn(delay),
            _ => Next::DeadlineExceeded(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delays, GaveUp, Next, Pacing};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Ten attempts, 4 s apart, each of at most 2 s.
    fn pacing(deadline: Option<Duration>) -> Pacing {
        Pacing {
            max_attempts: 10,
            attempt_timeout: seconds(2),
            deadline,
            delays: Delays::new(seconds(4), 1.0, seconds(60), 0.0, None),
        }
    }

    #[test]
    fn without_a_deadline_only_the_attempts_end_the_wait() {
        let mut pacing = pacing(None);
        assert_eq!(pacing.next(9, seconds(9_999)), Next::AttemptIn(seconds(4)));
        assert_eq!(pacing.next(10, seconds(1)), Next::AttemptsExhausted);
    }

    #[test]
    fn the_last_pause_is_cut_so_that_one_more_attempt_fits() {
        let mut pacing = pacing(Some(seconds(60)));
        assert_eq!(pacing.next(1, seconds(50)), Next::AttemptIn(seconds(4)));
        assert_eq!(pacing.next(2, seconds(55)), Next::AttemptIn(seconds(3)));
        assert_eq!(pacing.next(3, seconds(58)), Next::DeadlineExceeded(seconds(60)));
        assert_eq!(pacing.next(4, seconds(61)), Next::DeadlineExceeded(seconds(60)));
    }

    #[test]
    fn a_short_deadline_keeps_a_tenth_for_the_last_attempt() {
        let mut pacing = pacing(Some(seconds(1)));
        let room = Duration::from_millis(900);
        assert_eq!(pacing.next(1, Duration::ZERO), Next::AttemptIn(room));
        assert_eq!(pacing.next(2, room), Next::DeadlineExceeded(seconds(1)));
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
}
