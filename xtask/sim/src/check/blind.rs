//! When the registry could not listen, as the simulation knows, and what that allows it to credit.

use std::time::Duration;

/// How far the virtual clock may go on while the registry is stopped: to the wake it had planned, and the slack.
const OVERRUN: Duration = Duration::from_millis(252);

/// The times at which the registry was stopped.
#[derive(Debug, Default)]
pub(crate) struct Blind {
    /// From when to when; the last may not have ended.
    stops: Vec<(Duration, Option<Duration>)>,
}

impl Blind {
    pub(crate) fn stop(&mut self, at: Duration) {
        self.stops.push((at, None));
    }

    pub(crate) fn go_on(&mut self, at: Duration) {
        if let Some((_, until)) = self.stops.last_mut() {
            until.get_or_insert(at);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.last().is_some_and(|(_, until)| until.is_none())
    }

    /// The least and the most that may be credited to a member that was heard at one time, at another.
    pub(crate) fn credit(&self, heard: Duration, now: Duration) -> (Duration, Duration) {
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        for (from, until) in self.stops.iter().rev().take_while(|(_, until)| until.is_none_or(|until| until > heard)) {
            let stopped = until.unwrap_or(now).min(now).saturating_sub((*from).max(heard));
            most += stopped;
            least += stopped.saturating_sub(OVERRUN);
        }
        (least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_stopped_since_the_last_beat_is_credited() {
        let s = Duration::from_secs;
        let mut blind = Blind::default();
        blind.stop(s(10));
        blind.go_on(s(20));
        blind.stop(s(30));
        assert!(blind.is_stopped());
        blind.go_on(s(31));
        assert_eq!(blind.credit(s(5), s(40)).1, s(11));
        assert_eq!(blind.credit(s(5), s(40)).0, s(11) - 2 * OVERRUN);
        assert_eq!(blind.credit(s(15), s(40)).1, s(6));
        assert_eq!(blind.credit(s(25), s(40)).1, s(1));
        assert_eq!(blind.credit(s(32), s(40)), (Duration::ZERO, Duration::ZERO));
    }
}
