//! Beats that wait for others, so that many travel in one request.

use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Kind, Problem, ProblemType};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::letter::Letter;
use super::upstream::Upstream;
use crate::clock::monotonic;

/// A beat waits at most for this part of its interval,
const SHARE: u32 = 20;
/// and this long.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// So few that also the longest answer is within what a transport reads.
const MAX_ITEMS: usize = 100;
/// The contract's limit for a batch, less what stands around its items.
const MAX_BYTES: usize = heartbeat_contract::MAX_BATCH_BYTES - 1024;
/// How many batches are on their way at a time; when as many hang, beats are refused.
const MAX_BATCHES: usize = 8;

/// Beats of one kind that wait.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    letters: Vec<Letter>,
    bytes: usize,
    /// When the first of them has waited long enough.
    due: Option<Instant>,
}

impl Gathering {
    /// Takes a beat; returns those that must go first, since it does not fit with them.
    fn add(&mut self, letter: Letter, now: Instant) -> Option<Vec<Letter>> {
        let bytes = letter.beat.json.get().len() + 1;
        let is_full = self.letters.len() == MAX_ITEMS || self.bytes + bytes > MAX_BYTES;
        let full = is_full.then(|| self.take());
        let due = now + (letter.beat.interval / SHARE).min(LONGEST_WAIT);
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.bytes += bytes;
        self.letters.push(letter);
        full
    }

    fn take(&mut self) -> Vec<Letter> {
        (self.bytes, self.due) = (0, None);
        std::mem::take(&mut self.letters)
    }
}

/// Gathers beats and sends them on.
pub(super) struct Gatherer {
    upstream: Arc<Upstream>,
    room: Arc<Semaphore>,
    waiting: Vec<(Kind, Gathering)>,
    batches: JoinSet<()>,
}

impl Gatherer {
    pub(super) fn new(upstream: Upstream) -> Self {
        let room = Arc::new(Semaphore::new(MAX_BATCHES));
        Self { upstream: Arc::new(upstream), room, waiting: Vec::new(), batches: JoinSet::new() }
    }

    /// Until nobody brings beats any more, and the last are answered.
    pub(super) async fn run(mut self, mut arriving: mpsc::Receiver<Letter>) {
        loop {
            let due = self.waiting.iter().filter_map(|(_, gathering)| gathering.due).min();
            tokio::select! {
                letter = arriving.recv() => match letter {
                    Some(letter) => self.take(letter),
                    None => break,
                },
                () = super::at(due) => self.send_due(monotonic()),
                Some(_) = self.batches.join_next() => {}
            }
        }
        for (_, mut gathering) in std::mem::take(&mut self.waiting) {
            self.send(gathering.take());
        }
        while self.batches.join_next().await.is_some() {}
    }

    fn take(&mut self, letter: Letter) {
        let now = monotonic();
        let place = self.waiting.iter().position(|(kind, _)| *kind == letter.beat.kind).unwrap_or_else(|| {
            self.waiting.push((letter.beat.kind.clone(), Gathering::default()));
            self.waiting.len() - 1
        });
        if let Some(full) = self.waiting[place].1.add(letter, now) {
            self.send(full);
        }
    }

    fn send_due(&mut self, now: Instant) {
        let is_due = |gathering: &Gathering| gathering.due.is_some_and(|due| due <= now);
        let due: Vec<_> =
            self.waiting.iter_mut().filter(|(_, gathering)| is_due(gathering)).map(|(_, g)| g.take()).collect();
        due.into_iter().for_each(|letters| self.send(letters));
        // A kind of which nobody beats any more is not kept.
        self.waiting.retain(|(_, gathering)| gathering.due.is_some());
    }

    fn send(&mut self, letters: Vec<Letter>) {
        if letters.is_empty() {
            return;
        }
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => {
                self.batches.spawn(deliver(Arc::clone(&self.upstream), letters, room));
            }
            Err(_) => refuse(letters, "earlier beats are still on their way"),
        }
    }
}

async fn deliver(upstream: Arc<Upstream>, letters: Vec<Letter>, room: OwnedSemaphorePermit) {
    upstream.deliver(letters).await;
    drop(room);
}

/// Sends them back, so that they go direct.
pub(super) fn refuse(letters: Vec<Letter>, why: &str) {
    for letter in letters {
        // Whoever no longer waits needs no answer.
        drop(letter.answer.send(Err(Problem::new(ProblemType::Unavailable, why))));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::super::letter::Sealed;
    use super::*;

    fn letter(interval_ms: u64) -> Letter {
        let json = format!(r#"{{"worker_id":"w","beat":{{"interval_ms":{interval_ms}}}}}"#);
        let beat = Sealed::read(Kind::WORKER, json.as_bytes(), None).unwrap();
        Letter { beat, answer: oneshot::channel().0 }
    }

    #[test]
    fn a_beat_waits_for_a_twentieth_of_its_interval_and_half_a_second_at_most() {
        let now = monotonic();
        let wait = |interval_ms| {
            let mut gathering = Gathering::default();
            gathering.add(letter(interval_ms), now);
            gathering.due.unwrap() - now
        };
        assert_eq!(wait(100), Duration::from_millis(5));
        assert_eq!(wait(2_000), Duration::from_millis(100));
        assert_eq!(wait(60_000), Duration::from_millis(500));
    }

    #[test]
    fn the_most_impatient_beat_decides_and_a_hundred_go_at_once() {
        let now = monotonic();
        let mut gathering = Gathering::default();
        gathering.add(letter(60_000), now);
        gathering.add(letter(1_000), now);
        assert_eq!(gathering.due, Some(now + Duration::from_millis(50)));
        for _ in 2..MAX_ITEMS {
            assert!(gathering.add(letter(60_000), now).is_none());
        }
        assert_eq!(gathering.add(letter(60_000), now).unwrap().len(), 100);
        assert_eq!(gathering.letters.len(), 1);
    }
}
