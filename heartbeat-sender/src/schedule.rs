//! The slots that beats are sent for. Plain arithmetic: times are durations since the loop started.

use std::time::Duration;

const LONGEST_PHASE: Duration = Duration::from_secs(1);

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
    pub(crate) fn new(first: Duration, pitch: Duration) -> Self {
        Self { pitch, at: first, tick: 0, anchor: Duration::ZERO }
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
    /// are already past at `now` never were, so that a shorter pitch calls for no beat at once.
    pub(crate) fn stretch(&mut self, now: Duration, pitch: Duration) {
        if pitch == self.pitch {
            return;
        }
        self.restart(self.anchor, pitch);
        let past = now.saturating_sub(self.at).as_nanos().div_ceil(pitch.as_nanos());
        let past = pitch * u32::try_from(past).unwrap_or(u32::MAX);
        self.anchor += past;
        self.at += past;
    }
}

/// How long after the start the first slot is: less than a tenth of the interval and than 1 s, the same for an id every
/// time, so that a fleet that starts at once does not beat at once.
pub(crate) fn phase(id: &str, interval: Duration) -> Duration {
    let window = (interval / 10).min(LONGEST_PHASE);
    let window = u64::try_from(window.as_nanos()).expect("at most a second");
    Duration::from_nanos(fnv1a(id) % window)
}

/// FNV-1a: stable over releases and platforms, which std's hashers do not promise.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
        let mut schedule = Schedule::new(ms(300), 10 * S);
        assert_eq!(schedule.take(ms(299)), None);
        assert_eq!(schedule.take(ms(300)), Some(0));
        assert_eq!(schedule.next(), ms(10_300));
        assert_eq!(schedule.take(ms(10_350)), Some(1));
        assert_eq!(schedule.next(), ms(20_300));
    }

    #[test]
    fn late_wakeup_skips_slots_instead_of_bursting() {
        let mut schedule = Schedule::new(Duration::ZERO, 10 * S);
        assert_eq!(schedule.take(Duration::ZERO), Some(0));
        assert_eq!(schedule.take(57 * S), Some(5));
        assert_eq!(schedule.take(57 * S), None);
        assert_eq!(schedule.next(), 60 * S);
        assert_eq!(schedule.take(60 * S), Some(6));
    }

    #[test]
    fn a_longer_grant_stretches_from_the_last_slot_and_returns_with_the_grant() {
        let mut schedule = Schedule::new(ms(300), 10 * S);
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
            let mut schedule = Schedule::new(Duration::ZERO, 100 * S);
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
        let mut schedule = Schedule::new(Duration::ZERO, 10 * S);
        schedule.take(Duration::ZERO);
        schedule.restart(4 * S, 2 * S);
        assert_eq!(schedule.next(), 6 * S);
        assert_eq!(schedule.take(6 * S), Some(0));
    }

    #[test]
    fn a_sleep_of_years_overflows_nothing() {
        let mut schedule = Schedule::new(Duration::ZERO, ms(100));
        let century = 100 * 365 * 86_400 * S;
        while schedule.take(century).is_some() {}
        assert!(schedule.next() > century);
    }

    #[test]
    fn the_phase_is_within_a_tenth_of_the_interval_and_a_second_and_spread_by_id() {
        for (interval, window) in [(ms(100), ms(10)), (5 * S, ms(500)), (30 * S, S), (86_400 * S, S)] {
            let phases: Vec<_> = (0..1000).map(|i| phase(&format!("worker-{i}"), interval)).collect();
            assert!(phases.iter().all(|phase| *phase < window));
            let early = phases.iter().filter(|phase| **phase < window / 2).count();
            assert!((400..600).contains(&early), "{early} of 1000 in the first half of {window:?}");
        }
        assert_eq!(phase("worker-1", 30 * S), phase("worker-1", 30 * S));
    }
}
