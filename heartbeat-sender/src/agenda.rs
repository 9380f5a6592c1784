//! When the next beat goes out: for a slot, at once for news, later for a registry that asks. Plain arithmetic: times are
//! durations since the loop started.

use std::time::Duration;

use heartbeat_contract::Ack;

use crate::schedule::Schedule;
use crate::spread::{Spread, window};

/// News goes out at once, but not more often than this.
const NEWS_PITCH: Duration = Duration::from_secs(1);
/// A registry may slow a sender down by this factor at most.
const LARGEST_STRETCH: u32 = 10;
/// How often the first beat of an outage is repeated before the next slot.
const QUICK_RETRIES: u8 = 2;

/// Decides when to beat next.
#[derive(Debug)]
pub(crate) struct Agenda {
    schedule: Schedule,
    interval: Duration,
    /// The pitch that the registry has acknowledged, and so judges by.
    acknowledged: Option<Duration>,
    /// From when news may go out.
    news_from: Duration,
    /// No beat before this, slot or news.
    not_before: Duration,
    /// A beat off schedule, whether there is news or not.
    again_at: Option<Duration>,
    /// When the last beat is repeated, unless there is news by then.
    retry_at: Option<Duration>,
    retries_left: u8,
    spread: Spread,
}

impl Agenda {
    /// The first beat goes out nearly at once, and the slots begin within an interval after it: anywhere within it, so
    /// that a fleet that starts at once is spread evenly from then on.
    pub(crate) fn new(mut spread: Spread, interval: Duration) -> Self {
        let first = spread.below(window(interval));
        let lead = spread.below(interval);
        Self {
            schedule: Schedule::new(first, lead, interval),
            interval,
            acknowledged: None,
            news_from: Duration::ZERO,
            not_before: Duration::ZERO,
            again_at: Some(first),
            retry_at: None,
            retries_left: 0,
            spread,
        }
    }

    /// The configured interval that the slots go by.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// The time of the next slot.
    pub(crate) fn next_slot(&self) -> Duration {
        self.schedule.next()
    }

    /// When to beat next.
    pub(crate) fn next(&self, has_news: bool) -> Duration {
        let sooner = if has_news { Some(self.news_from) } else { self.retry_at };
        let soonest = sooner.into_iter().chain(self.again_at).fold(self.schedule.next(), Duration::min);
        soonest.max(self.not_before)
    }

    /// Takes the beat that is due, if one is.
    pub(crate) fn take(&mut self, now: Duration, has_news: bool) -> Option<Due> {
        if now < self.next(has_news) {
            return None;
        }
        self.not_before = Duration::ZERO;
        let is_again = self.again_at.is_some_and(|at| at <= now);
        let is_retry = self.retry_at.take().is_some_and(|at| at <= now) && !is_again && !has_news;
        if let Some(tick) = self.schedule.take(now) {
            self.again_at = None;
            self.retries_left = 0;
            return Some(Due::Slot(tick));
        }
        if is_retry {
            return Some(Due::Retry);
        }
        self.again_at = None;
        if has_news {
            self.news_from = now + NEWS_PITCH;
        }
        Some(Due::OffSchedule)
    }

    /// Goes by another interval from the beat that goes out now, which is the first to declare it.
    pub(crate) fn change_interval(&mut self, now: Duration, interval: Duration) {
        self.interval = interval;
        self.schedule.restart(now, interval);
    }

    /// Obeys an ack that has just come.
    pub(crate) fn acknowledged(&mut self, now: Duration, ack: &Ack) {
        let granted = ack.next_in().clamp(self.interval, self.interval * LARGEST_STRETCH);
        self.schedule.stretch(now, granted);
        self.acknowledged = Some(granted);
    }

    /// Obeys a `Retry-After` by at most one pitch: staying alive comes before politeness.
    pub(crate) fn asked_to_wait(&mut self, now: Duration, retry_after: Duration) {
        let latest = self.schedule.next() + self.schedule.pitch();
        self.not_before = now.saturating_add(retry_after).min(latest);
    }

    /// Repeats the last beat in a moment: twice at most in an outage, with its first beat, and before the next slot.
    pub(crate) fn retry(&mut self, now: Duration, outage_begins: bool) {
        if outage_begins {
            self.retries_left = QUICK_RETRIES;
        }
        // From half to all of a share of the window, so that both are over within it.
        let share = window(self.schedule.pitch()) / u32::from(QUICK_RETRIES);
        let at = now + share / 2 + self.spread.below(share / 2);
        if self.retries_left > 0 && at < self.schedule.next() {
            self.retries_left -= 1;
            self.retry_at = Some(at);
        }
    }

    /// Whether the last beat is going to be repeated, unless there is news by then.
    pub(crate) fn repeats(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Repeats a beat that failed before the next slot, if the registry still judges by a shorter pitch than that of the
    /// slots: then it has not heard of the longer interval yet, and would miss the beats that no longer come.
    pub(crate) fn failed(&mut self, sent_at: Duration) {
        if let Some(judged) = self.acknowledged
            && judged < self.schedule.pitch()
        {
            self.again_at.get_or_insert(sent_at + judged);
        }
    }

    /// Beats again at once.
    pub(crate) fn again(&mut self, now: Duration) {
        self.again_at = Some(now);
    }
}

/// What a beat is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The slot of this number.
    Slot(u64),
    /// The start, news, or what a registry has to be told again.
    OffSchedule,
    /// The last beat, which did not get through.
    Retry,
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::Ack;
    use jiff::Timestamp;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn ack(next_in: Duration) -> Ack {
        Ack {
            acknowledged: true,
            server_time: Timestamp::UNIX_EPOCH,
            next_in_ms: u64::try_from(next_in.as_millis()).unwrap(),
            directives: Vec::new(),
        }
    }

    /// An agenda whose slot 0, at time zero, has been taken.
    fn every(interval: Duration) -> Agenda {
        let schedule = Schedule::new(Duration::ZERO, Duration::ZERO, interval);
        let mut agenda = Agenda { schedule, ..Agenda::new(Spread::of("worker-123"), interval) };
        assert_eq!(agenda.take(Duration::ZERO, false), Some(Due::Slot(0)));
        agenda
    }

    #[test]
    fn the_first_beat_comes_within_a_second_and_the_slots_of_a_fleet_are_spread_over_the_interval() {
        let mut tenths = [0; 10];
        for i in 0..1000 {
            let mut agenda = Agenda::new(Spread::of(&format!("worker-{i}")), 30 * S);
            let first = agenda.next(false);
            assert!(first < S);
            assert_eq!(agenda.take(first, false), Some(Due::OffSchedule));
            let slot = agenda.next(false);
            assert!(slot - first < 30 * S);
            assert_eq!(agenda.take(slot, false), Some(Due::Slot(0)));
            assert_eq!(agenda.next(false), slot + 30 * S);
            tenths[usize::try_from((slot - first).as_secs() / 3).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
    }

    #[test]
    fn the_first_beat_of_an_outage_is_repeated_twice_within_a_second_and_no_other() {
        let mut agenda = every(30 * S);
        agenda.retry(S, true);
        let first = agenda.next(false);
        assert!((S + S / 4..S + S / 2).contains(&first), "{first:?}");
        assert_eq!(agenda.take(first, false), Some(Due::Retry));
        agenda.retry(first, false);
        let second = agenda.next(false);
        assert!((S + S / 2..2 * S).contains(&second), "{second:?}");
        assert_eq!(agenda.take(second, false), Some(Due::Retry));
        for now in [second, 30 * S] {
            agenda.retry(now, false);
            assert!(!agenda.repeats());
            agenda.take(30 * S, false);
        }
    }

    #[test]
    fn what_is_not_repeated_before_the_next_slot_is_not_repeated() {
        let mut agenda = every(30 * S);
        agenda.retry(30 * S - S / 10, true);
        assert!(!agenda.repeats());
        let mut agenda = every(30 * S);
        agenda.retry(S, true);
        assert_eq!(agenda.take(30 * S, false), Some(Due::Slot(1)), "a loop that was held up");
        agenda.retry(31 * S, false);
        assert!(!agenda.repeats(), "a retry that is left is not for a later beat");
    }

    #[test]
    fn news_goes_out_instead_of_a_retry() {
        let mut agenda = every(30 * S);
        agenda.retry(S, true);
        assert_eq!(agenda.take(S, true), Some(Due::OffSchedule));
        assert!(!agenda.repeats());
        agenda.retry(S, false);
        assert_eq!(agenda.next(true), 2 * S, "and more news waits its turn, as ever");
    }

    #[test]
    fn news_goes_out_at_once_and_at_most_once_a_second() {
        let mut agenda = every(30 * S);
        assert_eq!(agenda.take(5 * S, true), Some(Due::OffSchedule));
        assert_eq!(agenda.next(true), 6 * S);
        assert_eq!(agenda.take(5 * S + S / 2, true), None);
        assert_eq!(agenda.take(6 * S, true), Some(Due::OffSchedule));
        assert_eq!(agenda.next(false), 30 * S);
        assert_eq!(agenda.take(30 * S, true), Some(Due::Slot(1)));
    }

    #[test]
    fn a_grant_is_obeyed_between_the_interval_and_ten_times_it() {
        for (granted, obeyed) in [(0, 10), (5, 10), (10, 10), (25, 25), (100, 100), (101, 100), (u64::MAX / 1000, 100)]
        {
            let mut agenda = every(10 * S);
            agenda.acknowledged(Duration::ZERO, &ack(Duration::from_secs(granted)));
            assert_eq!(agenda.next(false), Duration::from_secs(obeyed), "granted {granted} s");
        }
    }

    #[test]
    fn retry_after_moves_the_next_beat_by_at_most_one_interval() {
        for (retry_after, next) in [(0, 10), (5, 10), (12, 13), (300, 20), (u64::MAX, 20)] {
            let mut agenda = every(10 * S);
            agenda.asked_to_wait(S, Duration::from_secs(retry_after));
            assert_eq!(agenda.next(true).max(agenda.next(false)), Duration::from_secs(next), "{retry_after} s");
        }
        let mut agenda = every(10 * S);
        agenda.asked_to_wait(S, 12 * S);
        assert_eq!(agenda.next(true), 13 * S, "news waits too");
        assert_eq!(agenda.take(13 * S, false), Some(Due::Slot(1)), "the slot keeps its number");
        assert_eq!(agenda.next(false), 20 * S, "and the next one its place");
    }

    #[test]
    fn a_longer_interval_that_was_not_heard_is_repeated_at_the_shorter_one() {
        let mut agenda = every(S);
        agenda.acknowledged(Duration::ZERO, &ack(S));
        agenda.change_interval(5 * S, 60 * S);
        assert_eq!(agenda.next(false), 65 * S);
        agenda.failed(5 * S);
        assert_eq!(agenda.take(6 * S, false), Some(Due::OffSchedule));
        agenda.failed(6 * S);
        assert_eq!(agenda.take(7 * S, false), Some(Due::OffSchedule));
        agenda.acknowledged(7 * S, &ack(60 * S));
        assert_eq!(agenda.take(65 * S, false), Some(Due::Slot(0)));
        agenda.failed(65 * S);
        assert_eq!(agenda.next(false), 125 * S);
    }

    #[test]
    fn a_failure_moves_no_slot() {
        let mut agenda = every(10 * S);
        agenda.failed(Duration::ZERO);
        assert_eq!(agenda.next(false), 10 * S);
        assert_eq!(agenda.take(10 * S, false), Some(Due::Slot(1)));
    }
}
