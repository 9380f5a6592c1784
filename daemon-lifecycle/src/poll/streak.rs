use std::time::Duration;

use crate::probe::Answer;

/// Successes in a row, of one run of the daemon.
#[derive(Debug)]
pub(crate) struct Streak {
    threshold: u32,
    min_uptime: Duration,
    successes: u32,
    since: Duration,
    of: Option<String>,
}

impl Streak {
    pub(crate) fn new(threshold: u32, min_uptime: Duration) -> Self {
        Self { threshold, min_uptime, successes: 0, since: Duration::ZERO, of: None }
    }

    /// Whether that is enough. A daemon that was restarted meanwhile begins anew.
    pub(crate) fn succeeded(&mut self, elapsed: Duration, answer: &Answer) -> bool {
        if self.of != answer.instance_id {
            self.broken();
        }
        if self.successes == 0 {
            self.since = elapsed;
            self.of.clone_from(&answer.instance_id);
        }
        self.successes += 1;
        self.successes >= self.threshold && elapsed.saturating_sub(self.since) >= self.min_uptime
    }

    pub(crate) fn broken(&mut self) {
        self.successes = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answer, Streak};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn of(instance: &str) -> Answer {
        Answer { instance_id: Some(instance.to_owned()), ..Answer::default() }
    }

    #[test]
    fn as_many_successes_in_a_row_as_asked_for_are_needed() {
        let mut streak = Streak::new(3, Duration::ZERO);
        let answer = Answer::default();
        assert!(!streak.succeeded(seconds(1), &answer));
        assert!(!streak.succeeded(seconds(2), &answer));
        streak.broken();
        assert!(!streak.succeeded(seconds(3), &answer));
        assert!(!streak.succeeded(seconds(4), &answer));
        assert!(streak.succeeded(seconds(5), &answer));
    }

    #[test]
    fn a_daemon_has_to_stay_healthy_for_the_least_uptime() {
        let mut streak = Streak::new(1, seconds(5));
        let answer = Answer::default();
        assert!(!streak.succeeded(seconds(1), &answer));
        assert!(!streak.succeeded(seconds(5), &answer));
        streak.broken();
        assert!(!streak.succeeded(seconds(7), &answer));
        assert!(streak.succeeded(seconds(12), &answer));
    }

    #[test]
    fn successes_of_two_runs_of_a_daemon_do_not_add_up() {
        let mut streak = Streak::new(2, Duration::ZERO);
        assert!(!streak.succeeded(seconds(1), &of("a")));
        assert!(!streak.succeeded(seconds(2), &of("b")));
        assert!(streak.succeeded(seconds(3), &of("b")));
    }
}
