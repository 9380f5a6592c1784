//! The recent beats of a member.

use std::collections::VecDeque;

use heartbeat_contract::{HistoryEntry, Metadata, Payload};
use jiff::Timestamp;

/// The newest beats, as many as the member's policy says. Metadata is kept where it changed.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Past>);

#[derive(Debug)]
struct Past {
    /// Wall clock, in microseconds since the epoch.
    at: i64,
    seq: Option<u64>,
    status: Option<&'static str>,
    /// `None` where it is as it was the beat before.
    metadata: Option<Option<Metadata>>,
}

impl History {
    /// Adds a beat; `before` is the metadata of the one before. Allocates nothing once the history is full.
    pub(crate) fn push<P: Payload>(&mut self, beat: &P, before: Option<&Metadata>, at: Timestamp, capacity: u32) {
        while self.0.len() >= capacity as usize {
            self.drop_oldest();
        }
        let metadata = beat.metadata();
        self.0.push_back(Past {
            at: at.as_microsecond(),
            seq: beat.beat().and_then(|beat| beat.seq),
            status: beat.status(),
            metadata: (self.0.is_empty() || metadata != before).then(|| metadata.cloned()),
        });
    }

    /// The beats, oldest first.
    pub(crate) fn entries(&self) -> Vec<HistoryEntry> {
        let entry = |past: &Past| HistoryEntry {
            at: Timestamp::from_microsecond(past.at).expect("it was taken from a timestamp"),
            seq: past.seq,
            status: past.status.map(str::to_owned),
            metadata: past.metadata.clone().flatten(),
        };
        self.0.iter().map(entry).collect()
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

#[cfg(test)]
mod tests {
    use heartbeat_contract::{MemberId, WorkerHeartbeat};
    use serde_json::json;

    use super::*;

    fn beat(job: u32) -> WorkerHeartbeat {
        let metadata = Some(Metadata::new(&json!({"job": job})).unwrap());
        WorkerHeartbeat { metadata, ..WorkerHeartbeat::new(MemberId::new("w").unwrap()) }
    }

    fn history_of(jobs: &[u32], capacity: u32) -> Vec<Option<String>> {
        let mut history = History::default();
        let mut before: Option<WorkerHeartbeat> = None;
        for job in jobs {
            let beat = beat(*job);
            let metadata = before.as_ref().and_then(|beat| beat.metadata.as_ref());
            history.push(&beat, metadata, Timestamp::UNIX_EPOCH, capacity);
            before = Some(beat);
        }
        history.entries().iter().map(|entry| entry.metadata.as_ref().map(|data| data.as_json().to_owned())).collect()
    }

    #[test]
    fn metadata_is_kept_where_it_changed() {
        let some = |job: u32| Some(format!(r#"{{"job":{job}}}"#));
        assert_eq!(history_of(&[1, 1, 2, 2], 100), [some(1), None, some(2), None]);
    }

    #[test]
    fn the_oldest_beat_that_is_left_keeps_the_metadata_it_shared() {
        let some = |job: u32| Some(format!(r#"{{"job":{job}}}"#));
        assert_eq!(history_of(&[1, 1, 1, 2], 3), [some(1), None, some(2)]);
        assert_eq!(history_of(&[1, 1, 1, 2, 2], 2), [some(2), None]);
    }
}
