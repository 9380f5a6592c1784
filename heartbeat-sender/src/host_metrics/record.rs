//! What is known of one source of figures, by a clock that is handed in.

use std::time::{Duration, Instant};

use heartbeat_contract::FailingSource;

/// What a beat may hold of an error.
const MAX_ERROR: usize = 256;

/// What a source answers: figures, or why there are none.
pub(super) type Answer<T> = Result<Reading<T>, String>;

/// The figures that a source told.
#[derive(Debug, PartialEq)]
pub(super) struct Reading<T> {
    pub(super) figures: T,
    /// Why some are missing that should be there.
    pub(super) missing: Option<String>,
}

impl<T> Reading<T> {
    pub(super) fn complete(figures: T) -> Self {
        Self { figures, missing: None }
    }
}

/// What a source told last, and whether it still answers.
#[derive(Debug)]
pub(super) struct Record<T> {
    latest: Option<(T, Instant)>,
    /// Since when it owes an answer.
    asked: Option<Instant>,
    error: Option<String>,
}

impl<T: Clone> Record<T> {
    /// Of a source that is asked for the first time.
    pub(super) fn asked_first(now: Instant) -> Self {
        Self { latest: None, asked: Some(now), error: None }
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    pub(super) fn answered(&mut self, answer: Answer<T>, now: Instant) {
        self.asked = None;
        self.error = match answer {
            Ok(Reading { figures, missing }) => {
                self.latest = Some((figures, now));
                missing
            }
            Err(error) => Some(error),
        };
        if let Some(error) = &mut self.error {
            error.truncate(error.floor_char_boundary(MAX_ERROR));
        }
    }

    /// The figures that were read last, however old.
    pub(super) fn latest(&self) -> Option<T> {
        self.latest.as_ref().map(|(figures, _)| figures.clone())
    }

    /// How the source fails, if it has owed an answer for longer than the deadline, or its last answer was an error.
    pub(super) fn failing(&self, source: &str, deadline: Duration, now: Instant) -> Option<FailingSource> {
        let hangs = self.asked.is_some_and(|at| now.saturating_duration_since(at) > deadline);
        if !hangs && self.error.is_none() {
            return None;
        }
        let age = self.latest.as_ref().map(|(_, at)| now.saturating_duration_since(*at));
        Some(FailingSource {
            source: source.to_owned(),
            age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            error: self.error.clone().filter(|_| !hangs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::steady;

    const S: Duration = Duration::from_secs(1);
    const DEADLINE: Duration = Duration::from_secs(10);

    fn told(record: &Record<u32>, now: Instant) -> Option<String> {
        let failing = record.failing("nvidia", DEADLINE, now)?;
        Some(format!("{failing}, {:?}", failing.age_ms))
    }

    #[test]
    fn a_source_hangs_once_it_owes_an_answer_for_longer_than_the_deadline() {
        let start = steady();
        let mut record = Record::asked_first(start);
        assert_eq!((record.latest(), told(&record, start + DEADLINE)), (None, None));
        assert_eq!(told(&record, start + 11 * S).unwrap(), "nvidia hangs, None");
        record.answered(Ok(Reading::complete(7)), start + 12 * S);
        assert_eq!((record.latest(), told(&record, start + 60 * S)), (Some(7), None), "nobody asked since");
        record.asked(start + 60 * S);
        assert_eq!(told(&record, start + 70 * S), None);
        assert_eq!(told(&record, start + 71 * S).unwrap(), "nvidia hangs, Some(59000)");
        assert_eq!(record.latest(), Some(7));
    }

    #[test]
    fn an_answer_ends_a_hang() {
        let start = steady();
        let mut record = Record::asked_first(start);
        assert!(told(&record, start + 60 * S).is_some());
        record.answered(Ok(Reading::complete(8)), start + 61 * S);
        assert_eq!((record.latest(), told(&record, start + 61 * S)), (Some(8), None));
    }

    #[test]
    fn an_error_leaves_the_figures_and_tells_their_age_until_the_next_answer() {
        let start = steady();
        let mut record = Record::asked_first(start);
        record.answered(Ok(Reading::complete(7)), start);
        record.asked(start + 5 * S);
        record.answered(Err("gone".to_owned()), start + 6 * S);
        assert_eq!(told(&record, start + 9 * S).unwrap(), "nvidia fails: gone, Some(9000)");
        record.asked(start + 10 * S);
        assert_eq!(told(&record, start + 11 * S).unwrap(), "nvidia fails: gone, Some(11000)");
        assert_eq!(told(&record, start + 21 * S).unwrap(), "nvidia hangs, Some(21000)");
        record.answered(Ok(Reading { figures: 6, missing: Some("half".to_owned()) }), start + 22 * S);
        assert_eq!(record.latest(), Some(6));
        assert_eq!(told(&record, start + 22 * S).unwrap(), "nvidia fails: half, Some(0)");
    }

    #[test]
    fn an_error_is_cut_to_what_a_beat_may_hold() {
        let start = steady();
        let mut record = Record::<u32>::asked_first(start);
        record.answered(Err("ä".repeat(200)), start);
        assert_eq!(record.failing("disk", DEADLINE, start).unwrap().error.unwrap(), "ä".repeat(128));
    }
}
