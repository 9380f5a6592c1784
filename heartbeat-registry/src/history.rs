//! The recent beats of a member.

use std::collections::VecDeque;
use std::ops::RangeBounds;

use heartbeat_contract::{HistoryEntry, Metadata, Payload};
use jiff::Timestamp;

use crate::core::Now;

/// The newest beats, as many as the member's policy says. Metadata is kept where it changed.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Past>);

#[derive(Debug)]
struct Past {
    /// Wall clock, in microseconds since the epoch.
    at: i64,
    /// Monotonic clock, in microseconds.
    mono: u64,
    seq: Option<u64>,
    status: Option<&'static str>,
    /// `None` where it is as it was the beat before.
    metadata: Option<Option<Metadata>>,
}

impl History {
    /// Adds a beat; `before` is the metadata of the one before. Allocates nothing once the history is full.
    pub(crate) fn push<P: Payload>(&mut self, beat: &P, before: Option<&Metadata>, now: &Now, capacity: u32) {
        while self.0.len() >= capacity as usize {
            self.drop_oldest();
        }
        let metadata = beat.metadata();
        self.0.push_back(Past {
            at: now.wall.as_microsecond(),
            mono: now.mono,
            seq: beat.beat().and_then(|beat| beat.seq),
            status: beat.status(),
            metadata: (self.0.is_empty() || metadata != before).then(|| metadata.cloned()),
        });
    }

    /// The beats that came within a range of the wall clock, oldest first. The first of them tells its metadata, too.
    pub(crate) fn between(&self, range: impl RangeBounds<Timestamp>) -> Beats {
        let (mut beats, mut monos) = (Vec::new(), Vec::new());
        let mut metadata = None;
        for past in &self.0 {
            metadata = past.metadata.as_ref().or(metadata);
            let at = Timestamp::from_microsecond(past.at).expect("it was taken from a timestamp");
            if range.contains(&at) {
                let shown = match past.metadata.as_ref() {
                    _ if beats.is_empty() => metadata.cloned().flatten(),
                    changed => changed.map(|now| now.clone().unwrap_or_default()),
                };
                beats.push(HistoryEntry { at, seq: past.seq, status: past.status.map(str::to_owned), metadata: shown });
                monos.push(past.mono);
            }
        }
        Beats { beats, monos }
    }

    /// What follows inherits the metadata that it shared.
    fn drop_oldest(&mut self) {
        let oldest = self.0.pop_front();
        if let (Some(oldest), Some(next)) = (oldest, self.0.front_mut())
            && next.metadata.is_none()
        {
            next.metadata = oldest.metadata;
        }
    }
}

/// Some beats in a row.
#[derive(Debug)]
pub(crate) struct Beats {
    pub(crate) beats: Vec<HistoryEntry>,
    /// When they came by the monotonic clock, in microseconds.
    monos: Vec<u64>,
}

impl Beats {
    /// The mean time between them, and the mean absolute deviation from that, in milliseconds; `None` below two.
    pub(crate) fn interval_and_jitter(&self) -> Option<(f64, f64)> {
        let intervals: Vec<f64> = self.monos.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1000.0).collect();
        let mean = mean(&intervals)?;
        let deviations: Vec<f64> = intervals.iter().map(|interval| (interval - mean).abs()).collect();
        Some((mean, self::mean(&deviations)?))
    }
}

fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{MemberId, WorkerHeartbeat};
    use serde_json::json;

    use super::*;

    fn beat(job: u32) -> WorkerHeartbeat {
        let metadata = Some(Metadata::new(&json!({"job": job})).unwrap());
        WorkerHeartbeat { metadata, ..WorkerHeartbeat::new(MemberId::new("w").unwrap()) }
    }

    const SECOND: u64 = 1_000_000;

    fn at(seconds: u64) -> Now {
        let wall = Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
        Now { at: seconds * SECOND, mono: seconds * SECOND, wall }
    }

    /// Beats at these seconds, each with a job.
    fn history(beats: &[(u64, u32)], capacity: u32) -> History {
        let mut history = History::default();
        let mut before: Option<WorkerHeartbeat> = None;
        for (second, job) in beats {
            let beat = beat(*job);
            let metadata = before.as_ref().and_then(|beat| beat.metadata.as_ref());
            history.push(&beat, metadata, &at(*second), capacity);
            before = Some(beat);
        }
        history
    }

    fn jobs(beats: &Beats) -> Vec<Option<String>> {
        let json = |entry: &HistoryEntry| entry.metadata.as_ref().map(|data| data.as_json().to_owned());
        beats.beats.iter().map(json).collect()
    }

    fn history_of(jobs: &[u32], capacity: u32) -> Vec<Option<String>> {
        let beats: Vec<(u64, u32)> = (0..).zip(jobs.iter().copied()).collect();
        self::jobs(&history(&beats, capacity).between(..))
    }

    fn some(job: u32) -> Option<String> {
        Some(format!(r#"{{"job":{job}}}"#))
    }

    #[test]
    fn a_beat_of_the_past_takes_what_the_configuration_says() {
        assert_eq!(size_of::<Past>(), 72);
    }

    #[test]
    fn metadata_is_kept_where_it_changed() {
        assert_eq!(history_of(&[1, 1, 2, 2], 100), [some(1), None, some(2), None]);
    }

    #[test]
    fn the_oldest_beat_that_is_left_keeps_the_metadata_it_shared() {
        assert_eq!(history_of(&[1, 1, 1, 2], 3), [some(1), None, some(2)]);
        assert_eq!(history_of(&[1, 1, 1, 2, 2], 2), [some(2), None]);
    }

    #[test]
    fn metadata_that_went_away_is_told_apart_from_metadata_that_stayed() {
        let mut history = history(&[(0, 1), (1, 1)], 100);
        let bare = WorkerHeartbeat::new(MemberId::new("w").unwrap());
        history.push(&bare, beat(1).metadata.as_ref(), &at(2), 100);
        history.push(&bare, None, &at(3), 100);
        assert_eq!(jobs(&history.between(..)), [some(1), None, Some("{}".to_owned()), None]);
        assert_eq!(jobs(&history.between(at(3).wall..)), [None]);
    }

    #[test]
    fn a_range_includes_its_start_and_tells_the_metadata_that_held_there() {
        let history = history(&[(10, 1), (20, 1), (30, 2), (40, 2)], 100);
        let within = history.between(at(20).wall..at(40).wall);
        assert_eq!(within.beats.iter().map(|beat| beat.at).collect::<Vec<_>>(), [at(20).wall, at(30).wall]);
        assert_eq!(jobs(&within), [some(1), some(2)]);
        assert!(history.between(at(41).wall..).beats.is_empty());
    }

    #[test]
    fn the_mean_interval_and_the_mean_deviation_from_it_are_those_of_the_range() {
        let history = history(&[(0, 1), (100, 1), (110, 1), (130, 1)], 100);
        assert_eq!(history.between(at(100).wall..).interval_and_jitter(), Some((15_000.0, 5_000.0)));
        assert_eq!(history.between(at(130).wall..).interval_and_jitter(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_the_intervals_as_they_are() {
        let mut history = history(&[(100, 1)], 100);
        let later = Now { mono: 110 * SECOND, ..at(50) };
        history.push(&beat(1), None, &later, 100);
        assert_eq!(history.between(..).interval_and_jitter(), Some((10_000.0, 0.0)));
    }
}
