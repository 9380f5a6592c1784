//! The slots that beats are sent for. Plain arithmetic: times are durations since the loop started.

use std::time::Duration;

/// Slots at a first time and every pitch after it, numbered from 0. Missed slots use up their numbers and are never made
/// up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pitch: Duration,
    /// The next slot.
    at: Duration,
    tick: u64,
    /// The slot before it, or where the slots were counted from.
    anchor: Duration,
}

impl Schedule {
    /// The first slot comes a lead after the anchor, which is at most a pitch.
    pub(crate) fn new(anchor: Duration, lead: Duration, pitch: Duration) -> Self {
        Self { pitch, at: anchor + lead, tick: 0, anchor }
    }

    /// The time from slot to slot.
    pub(crate) fn pitch(&self) -> Duration {
        self.pitch
    }

    /// The time of the next slot.
    pub(crate) fn next(&self) -> Duration {
        self.at
    }

    /// Takes the latest slot that is due, if any is.
    pub(crate) fn take(&mut self, now: Duration) -> Option<u64> {
        let late = now.checked_sub(self.at)?;
        let missed = u32::try_from(late.as_nanos() / self.pitch.as_nanos()).unwrap_or(u32::MAX);
        let tick = self.tick + u64::from(missed);
        self.anchor = self.at + self.pitch * missed;
        self.at = self.anchor + self.pitch;
        self.tick = tick + 1;
        Some(tick)
    }

    /// Begins anew, one pitch from `now`.
    pub(crate) fn restart(&mut self, now: Duration, pitch: Duration) {
        *self = Self { pitch, at: now + pitch, tick: 0, anchor: now };
    }

    /// Changes the pitch, counted from the last slot; the numbers begin anew if it differs. Slots of the new pitch that
    /// are already past at `now` never were, so that a shorter pitch calls for no beat at once. A first slot that is yet to
    /// come keeps its place within the pitch, so that a fleet stays spread.
    pub(crate) fn stretch(&mut self, now: Duration, pitch: Duration) {
        if pitch == self.pitch {
            return;
        }
        let lead = (self.at - self.anchor).as_nanos() * pitch.as_nanos() / self.pitch.as_nanos();
        let lead = Duration::from_nanos(u64::try_from(lead).expect("at most the pitch"));
        *self = Self::new(self.anchor, lead, pitch);
        let past = now.saturating_sub(self.at).as_nanos().div_ceil(pitch.as_nanos());
        let past = pitch * u32::try_from(past).unwrap_or(u32::MAX);
        self.anchor += past;
        self.at += past;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn slots_come_at_the_first_time_and_every_pitch_after() {
        let mut schedule = Schedule::new(Duration::ZERO, ms(300), 10 * S);
        assert_eq!(schedule.take(ms(299)), None);
        assert_eq!(schedule.take(ms(300)), Some(0));
        assert_eq!(schedule.next(), ms(10_300));
        assert_eq!(schedule.take(ms(10_350)), Some(1));
        assert_eq!(schedule.next(), ms(20_300));
    }

    #[test]
    fn late_wakeup_skips_slots_instead_of_bursting() {
        let mut schedule = Schedule::new(Duration::ZERO, Duration::ZERO, 10 * S);
        assert_eq!(schedule.take(Duration::ZERO), Some(0));
        assert_eq!(schedule.take(57 * S), Some(5));
        assert_eq!(schedule.take(57 * S), None);
        assert_eq!(schedule.next(), 60 * S);
        assert_eq!(schedule.take(60 * S), Some(6));
    }

    #[test]
    fn a_longer_grant_stretches_from_the_last_slot_and_returns_with_the_grant() {
        let mut schedule = Schedule::new(Duration::ZERO, ms(300), 10 * S);
        schedule.take(ms(300));
        schedule.stretch(ms(310), 25 * S);
        assert_eq!(schedule.next(), ms(25_300));
        assert_eq!(schedule.take(ms(25_300)), Some(0));
        schedule.stretch(ms(25_310), 25 * S);
        assert_eq!(schedule.take(ms(50_300)), Some(1));
        schedule.stretch(ms(50_310), 10 * S);
        assert_eq!(schedule.take(ms(60_300)), Some(0));
    }

    #[test]
    fn a_shorter_grant_long_after_the_last_slot_brings_no_slot_that_is_past() {
        for (now, next) in [(9, 10), (10, 10), (11, 20), (57, 60), (60, 60)] {
            let mut schedule = Schedule::new(Duration::ZERO, Duration::ZERO, 100 * S);
            schedule.take(Duration::ZERO);
            schedule.stretch(now * S, 10 * S);
            assert_eq!(schedule.next(), next * S, "at {now} s");
            assert_eq!(schedule.take(next * S), Some(0));
            schedule.stretch(next * S, 30 * S);
            assert_eq!(schedule.next(), (next + 30) * S, "and the next grant counts from it");
        }
    }

    #[test]
    fn a_restart_counts_from_now_and_from_zero() {
        let mut schedule = Schedule::new(Duration::ZERO, Duration::ZERO, 10 * S);
        schedule.take(Duration::ZERO);
        schedule.restart(4 * S, 2 * S);
        assert_eq!(schedule.next(), 6 * S);
        assert_eq!(schedule.take(6 * S), Some(0));
    }

    #[test]
    fn a_sleep_of_years_overflows_nothing() {
        let mut schedule = Schedule::new(Duration::ZERO, Duration::ZERO, ms(100));
        let century = 100 * 365 * 86_400 * S;
        while schedule.take(century).is_some() {}
        assert!(schedule.next() > century);
    }

    #[test]
    fn a_grant_before_the_first_slot_keeps_its_place_within_the_pitch() {
        let mut schedule = Schedule::new(S, 3 * S, 10 * S);
        schedule.stretch(S, 100 * S);
        assert_eq!(schedule.next(), 31 * S);
        schedule.stretch(S, 10 * S);
        assert_eq!(schedule.next(), 4 * S);
        assert_eq!(schedule.take(4 * S), Some(0));
        assert_eq!(schedule.next(), 14 * S);
    }
}
