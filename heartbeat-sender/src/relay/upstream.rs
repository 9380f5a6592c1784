//! From the relay to the registries, and back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartbeat_contract::{Ack, BatchAck, BatchAnswer, Kind, Problem, ProblemType, Rejected, WorkerHeartbeat};
use tokio::time::Instant;

use super::gathering::refuse;
use super::letter::{Answer, Letter, Sealed};
use super::way::{Changes, Way};
use crate::clock::monotonic;
use crate::journal::Causes;
use crate::spread::Spread;
use crate::{HttpTransport, SendError, Transport};

/// How long one registry may take: so little that the second answers within the time for which senders wait at the usual
/// intervals.
const LIMIT: Duration = Duration::from_secs(2);

/// The registries, and which of them batches go to.
#[derive(Debug)]
pub(super) struct Upstream {
    transport: HttpTransport,
    began: Instant,
    way: Mutex<Way>,
}

impl Upstream {
    /// The name of the relay spreads when it tries whether it can return to a preferred registry.
    pub(super) fn new(transport: HttpTransport, name: &str) -> Self {
        let registries = 1 + fallbacks(&transport).len();
        Self { transport, began: monotonic(), way: Mutex::new(Way::new(registries, Spread::of(name))) }
    }

    /// Posts beats of one kind as one batch, and gives each its answer.
    pub(super) async fn deliver(&self, letters: Vec<Letter>) {
        let batch = batch(&letters);
        match self.post(&batch).await {
            Ok(told) => {
                let answers = answers(letters.iter().map(|letter| &letter.beat), told);
                for (letter, answer) in letters.into_iter().zip(answers) {
                    // Whoever no longer waits needs no answer.
                    drop(letter.answer.send(answer));
                }
                self.try_preferred(&batch).await;
            }
            Err(error) => {
                if self.way().failed(letters.len(), &error) {
                    tracing::warn!(beats = letters.len(), error = %Causes(&error), "the relay cannot pass beats on");
                }
                // Without the causes: which host it is that refuses a connection is for the relay's own log.
                refuse(letters, &format!("the relay cannot pass beats on: {error}"));
            }
        }
    }

    /// To the registry that took the last batch, and to the others if it does not take this one.
    async fn post(&self, batch: &[u8]) -> Result<BatchAnswer, SendError> {
        let choices = self.way().choices();
        let mut miss = None;
        for registry in &choices {
            match self.post_to(*registry, batch).await {
                Ok(told) => {
                    self.took(*registry, choices[0], miss.as_ref());
                    return Ok(told);
                }
                Err(error) => miss = Some(error),
            }
        }
        Err(miss.expect("at least one registry was tried"))
    }

    async fn post_to(&self, registry: usize, batch: &[u8]) -> Result<BatchAnswer, SendError> {
        let posting = self.registry(registry).post_batch(batch.to_vec());
        tokio::time::timeout(LIMIT, posting).await.unwrap_or_else(|_| Err(SendError::timeout(LIMIT)))
    }

    /// Tries, once in a while, whether a registry that is preferred to the one that has just taken a batch takes it, too.
    /// Nobody waits for that.
    async fn try_preferred(&self, batch: &[u8]) {
        let preferred = self.way().preferred(self.now());
        for registry in preferred {
            if self.post_to(registry, batch).await.is_ok() {
                if self.way().took_again(registry, self.now()) {
                    let registry = place(self.registry(registry));
                    tracing::info!(registry, "the relay passes beats on to a preferred registry again");
                }
                return;
            }
        }
    }

    fn took(&self, registry: usize, first: usize, miss: Option<&SendError>) {
        let Changes { has_moved, refused } = self.way().took(registry, first, self.now());
        let registry = place(self.registry(registry));
        if let Some(error) = miss.filter(|_| has_moved) {
            tracing::warn!(registry, error = %Causes(error), "the relay passes beats on to another registry");
        }
        if let Some(refused) = refused {
            tracing::info!(registry, refused, "the relay passes beats on again");
        }
    }

    fn registry(&self, registry: usize) -> &HttpTransport {
        match registry.checked_sub(1) {
            None => &self.transport,
            Some(fallback) => &fallbacks(&self.transport)[fallback],
        }
    }

    fn now(&self) -> Duration {
        monotonic() - self.began
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same for beats of every kind.
fn fallbacks(transport: &HttpTransport) -> &[HttpTransport] {
    Transport::<WorkerHeartbeat>::fallbacks(transport)
}

fn place(transport: &HttpTransport) -> &str {
    Transport::<WorkerHeartbeat>::place(transport)
}

fn batch(letters: &[Letter]) -> Vec<u8> {
    let plural = letters.first().map(|letter| letter.beat.kind.plural()).unwrap_or_default();
    let items: Vec<&str> = letters.iter().map(|letter| letter.beat.json.get()).collect();
    format!(r#"{{"{plural}":[{}]}}"#, items.join(",")).into_bytes()
}

/// The answer to each beat out of that to all.
fn answers<'a>(beats: impl ExactSizeIterator<Item = &'a Sealed>, told: BatchAnswer) -> Vec<Answer> {
    let BatchAnswer { accepted, rejected, acks, server_time, next_in_ms } = told;
    // Lists of kinds that the registry does not know are ignored by it.
    let is_known = usize::try_from(accepted).is_ok_and(|accepted| accepted + rejected.len() == beats.len());
    let ack = |beat: &Sealed| {
        let own = acks.iter().find(|ack: &&BatchAck| ack.kind == beat.kind && ack.id == beat.id);
        Ack {
            acknowledged: true,
            server_time,
            next_in_ms: own.map_or(next_in_ms, |own| own.next_in_ms),
            directives: own.map(|own| own.directives.clone()).unwrap_or_default(),
        }
    };
    let answer = |(index, beat): (usize, &Sealed)| {
        if !is_known {
            return Err(unknown(&beat.kind));
        }
        match rejected.iter().find(|rejected| usize::try_from(rejected.index) == Ok(index)) {
            Some(rejected) => Err(problem(rejected)),
            None => Ok(ack(beat)),
        }
    };
    beats.enumerate().map(answer).collect()
}

fn unknown(kind: &Kind) -> Problem {
    Problem::new(ProblemType::NotFound, format!("the registry knows no {}", kind.plural()))
}

fn problem(rejected: &Rejected) -> Problem {
    let known = ProblemType::ALL.iter().copied().find(|known| known.slug() == rejected.problem);
    let mut problem = Problem::new(known.unwrap_or(ProblemType::InvalidPayload), rejected.detail.clone());
    problem.newest_incarnation = rejected.newest_incarnation;
    problem
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{Directive, MemberId};

    use super::*;

    fn beat(id: &str) -> Sealed {
        Sealed::read(Kind::WORKER, format!(r#"{{"worker_id":"{id}"}}"#).as_bytes(), None).unwrap()
    }

    fn told(accepted: u64, rejected: Vec<Rejected>, acks: Vec<BatchAck>) -> BatchAnswer {
        BatchAnswer { accepted, rejected, acks, server_time: jiff::Timestamp::UNIX_EPOCH, next_in_ms: 1_000 }
    }

    #[test]
    fn each_beat_gets_its_own_answer() {
        let stale = Rejected {
            kind: Kind::WORKER,
            index: 1,
            id: None,
            problem: "stale-incarnation".to_owned(),
            detail: "old".to_owned(),
            newest_incarnation: Some(7),
        };
        let drain = BatchAck {
            kind: Kind::WORKER,
            id: MemberId::new("c").unwrap(),
            next_in_ms: 2_000,
            directives: vec![Directive::Drain],
        };
        let beats = [beat("a"), beat("b"), beat("c")];
        let answers = answers(beats.iter(), told(2, vec![stale], vec![drain]));
        let ack = answers[0].as_ref().unwrap();
        assert_eq!((ack.next_in_ms, ack.directives.len()), (1_000, 0));
        let problem = answers[1].as_ref().unwrap_err();
        assert_eq!((problem.status, problem.newest_incarnation), (409, Some(7)));
        let ack = answers[2].as_ref().unwrap();
        assert_eq!((ack.next_in_ms, &ack.directives[..]), (2_000, &[Directive::Drain][..]));
    }

    #[test]
    fn a_kind_that_the_registry_ignores_is_not_acknowledged() {
        let answers = answers([beat("a")].iter(), told(0, Vec::new(), Vec::new()));
        assert_eq!(answers[0].as_ref().unwrap_err().status, 404);
    }
}
