//! The numbers and whereabouts that every beat is stamped with.

use std::time::Duration;

use heartbeat_contract::{BeatInfo, MAX_SAFE_INTEGER, MemberId, Payload, Progress, Zone};
use jiff::Timestamp;

use crate::agenda::Due;

/// Where a member is; the same for all beats of a run.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    pub(crate) endpoint: Option<String>,
    pub(crate) hive_id: Option<MemberId>,
    pub(crate) zone: Option<Zone>,
}

/// Numbers the beats of one run.
#[derive(Debug)]
pub(crate) struct Stamp {
    whereabouts: Whereabouts,
    incarnation: u64,
    next_seq: u64,
    accepted: bool,
    rtt: Option<Duration>,
}

/// What differs from beat to beat.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) due: Due,
    pub(crate) at: Timestamp,
    pub(crate) interval: Duration,
    pub(crate) progress: Option<Progress>,
    /// How late the application's runtime is.
    pub(crate) lag: Option<Duration>,
    /// How long the machine slept before.
    pub(crate) slept: Duration,
    pub(crate) leaving: Option<String>,
}

/// What to do about the news that the registry knows a newer run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// This run had not been accepted yet, and has just taken a newer number.
    Raised,
    /// This run was accepted once, and another has taken its place.
    Superseded,
    /// The number is no newer than this run's: the registry contradicts itself.
    Contradiction,
}

impl Stamp {
    pub(crate) fn new(started: Timestamp, whereabouts: Whereabouts) -> Self {
        let micros = u64::try_from(started.as_microsecond()).unwrap_or(0);
        let incarnation = micros.min(MAX_SAFE_INTEGER);
        Self { whereabouts, incarnation, next_seq: 0, accepted: false, rtt: None }
    }

    /// Stamps a payload as the next beat and returns its number. What the member itself put into the object `beat`, such
    /// as the lag of a runtime that the sender does not watch, stays unless the sender knows better.
    pub(crate) fn apply<P: Payload>(&mut self, payload: &mut P, mark: Mark) -> u64 {
        let own = payload.beat().cloned().unwrap_or_default();
        let Whereabouts { endpoint, hive_id, zone } = self.whereabouts.clone();
        let seq = self.next_seq;
        self.next_seq += 1;
        let tick = match mark.due {
            Due::Slot(tick) => Some(tick),
            Due::OffSchedule | Due::Retry => None,
        };
        payload.set_beat(BeatInfo {
            incarnation: Some(self.incarnation),
            seq: Some(seq),
            interval_ms: Some(millis(mark.interval)),
            endpoint: endpoint.or(own.endpoint),
            hive_id: hive_id.or_else(|| payload.hive_id().cloned()),
            zone: zone.or(own.zone),
            progress: mark.progress.or(own.progress),
            runtime_lag_ms: mark.lag.map(millis).or(own.runtime_lag_ms),
            rtt_ms: self.rtt.map(millis),
            slept_ms: Some(millis(mark.slept)).filter(|slept| *slept > 0).or(own.slept_ms),
            tick,
            leaving: mark.leaving,
        });
        payload.set_timestamp(mark.at);
        seq
    }

    /// The last beat was acknowledged after this time.
    pub(crate) fn acknowledged(&mut self, rtt: Duration) {
        self.accepted = true;
        self.rtt = Some(rtt);
    }

    /// The last beat was not acknowledged.
    pub(crate) fn failed(&mut self) {
        self.rtt = None;
    }

    /// The last beat was refused since this run is known.
    pub(crate) fn stale(&mut self, newest: u64) -> Stale {
        if newest < self.incarnation || newest >= MAX_SAFE_INTEGER {
            return Stale::Contradiction;
        }
        if self.accepted {
            return Stale::Superseded;
        }
        self.incarnation = newest + 1;
        self.next_seq = 0;
        Stale::Raised
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{HiveHeartbeat, WorkerHeartbeat};

    use super::*;

    const STARTED: i64 = 1_767_322_800_123_456;

    fn stamp(whereabouts: Whereabouts) -> Stamp {
        Stamp::new(Timestamp::from_microsecond(STARTED).unwrap(), whereabouts)
    }

    fn nowhere() -> Whereabouts {
        Whereabouts { endpoint: None, hive_id: None, zone: None }
    }

    fn mark(due: Due) -> Mark {
        let (at, interval, slept) = (Timestamp::UNIX_EPOCH, Duration::from_secs(30), Duration::ZERO);
        Mark { due, at, interval, progress: None, lag: None, slept, leaving: None }
    }

    fn worker() -> WorkerHeartbeat {
        WorkerHeartbeat::new(MemberId::new("worker-123").unwrap())
    }

    fn beat_of(stamp: &mut Stamp, due: Due) -> BeatInfo {
        let mut worker = worker();
        stamp.apply(&mut worker, mark(due));
        worker.beat.unwrap()
    }

    #[test]
    fn beats_are_numbered_from_zero_under_the_microsecond_of_the_start() {
        let mut stamp = stamp(nowhere());
        let first = beat_of(&mut stamp, Due::Slot(0));
        let second = beat_of(&mut stamp, Due::OffSchedule);
        let run = Some(STARTED.unsigned_abs());
        assert_eq!((first.incarnation, first.seq, first.tick), (run, Some(0), Some(0)));
        assert_eq!((second.incarnation, second.seq, second.tick), (run, Some(1), None));
        assert_eq!(second.interval_ms, Some(30_000));
    }

    #[test]
    fn the_answer_time_of_the_previous_beat_is_told_unless_it_failed() {
        let mut stamp = stamp(nowhere());
        assert_eq!(beat_of(&mut stamp, Due::Slot(0)).rtt_ms, None);
        stamp.acknowledged(Duration::from_millis(7));
        assert_eq!(beat_of(&mut stamp, Due::Slot(1)).rtt_ms, Some(7));
        stamp.failed();
        assert_eq!(beat_of(&mut stamp, Due::Slot(2)).rtt_ms, None);
    }

    #[test]
    fn a_run_never_accepted_takes_the_newest_number_and_one() {
        let mut stamp = stamp(nowhere());
        beat_of(&mut stamp, Due::Slot(0));
        let newest = STARTED.unsigned_abs() + 5_000_000;
        assert_eq!(stamp.stale(newest), Stale::Raised);
        let beat = beat_of(&mut stamp, Due::OffSchedule);
        assert_eq!((beat.incarnation, beat.seq), (Some(newest + 1), Some(0)));
    }

    #[test]
    fn a_run_once_accepted_never_raises_its_incarnation() {
        let mut stamp = stamp(nowhere());
        stamp.acknowledged(Duration::ZERO);
        stamp.failed();
        assert_eq!(stamp.stale(STARTED.unsigned_abs() + 1), Stale::Superseded);
        assert_eq!(beat_of(&mut stamp, Due::OffSchedule).incarnation, Some(STARTED.unsigned_abs()));
    }

    #[test]
    fn a_newest_run_that_is_older_or_unwritable_changes_nothing() {
        let mut stamp = stamp(nowhere());
        assert_eq!(stamp.stale(STARTED.unsigned_abs() - 1), Stale::Contradiction);
        assert_eq!(stamp.stale(MAX_SAFE_INTEGER), Stale::Contradiction);
        assert_eq!(beat_of(&mut stamp, Due::Slot(0)).incarnation, Some(STARTED.unsigned_abs()));
    }

    #[test]
    fn what_the_member_put_into_beat_stays_unless_the_sender_knows_better() {
        let zone = Zone::new("rack-12").unwrap();
        let mut stamp = stamp(Whereabouts { zone: Some(zone.clone()), ..nowhere() });
        let mut worker = worker();
        worker.beat = Some(BeatInfo {
            runtime_lag_ms: Some(3),
            endpoint: Some("http://10.0.0.7:9001".into()),
            zone: Some(Zone::default()),
            seq: Some(99),
            leaving: Some("by mistake".into()),
            ..BeatInfo::default()
        });
        stamp.apply(&mut worker, mark(Due::Slot(0)));
        let beat = worker.beat.unwrap();
        assert_eq!((beat.runtime_lag_ms, beat.endpoint.as_deref()), (Some(3), Some("http://10.0.0.7:9001")));
        assert_eq!((beat.zone, beat.seq, beat.leaving), (Some(zone), Some(0), None));
    }

    #[test]
    fn a_hive_lives_on_the_host_of_its_own_name() {
        let mut hive = HiveHeartbeat::new(MemberId::new("hive-7").unwrap());
        stamp(nowhere()).apply(&mut hive, mark(Due::Slot(0)));
        assert_eq!(hive.beat.unwrap().hive_id.unwrap().as_str(), "hive-7");
    }

    #[test]
    fn a_clock_before_the_epoch_numbers_the_run_zero() {
        let mut stamp = Stamp::new(Timestamp::from_second(-1).unwrap(), nowhere());
        assert_eq!(beat_of(&mut stamp, Due::Slot(0)).incarnation, Some(0));
    }
}
