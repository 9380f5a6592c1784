//! From the relay to the registry, and back.

use std::time::Duration;

use heartbeat_contract::{Ack, BatchAck, BatchAnswer, Kind, Problem, ProblemType, Rejected, WorkerHeartbeat};

use super::gathering::refuse;
use super::letter::{Answer, Letter, Sealed};
use crate::journal::Causes;
use crate::{HttpTransport, SendError, Transport};

/// Well below the time for which senders wait for an answer at the usual intervals.
const LIMIT: Duration = Duration::from_secs(2);

/// Posts beats of one kind as one batch, and gives each its answer.
pub(super) async fn deliver(upstream: &HttpTransport, letters: Vec<Letter>) {
    match post(upstream, batch(&letters)).await {
        Ok(told) => {
            let answers = answers(letters.iter().map(|letter| &letter.beat), told);
            for (letter, answer) in letters.into_iter().zip(answers) {
                // Whoever no longer waits needs no answer.
                drop(letter.answer.send(answer));
            }
        }
        Err(error) => {
            tracing::warn!(beats = letters.len(), error = %Causes(&error), "the relay cannot pass beats on");
            refuse(letters, "the registry cannot be reached from here");
        }
    }
}

/// To the first registry that takes it.
async fn post(upstream: &HttpTransport, batch: Vec<u8>) -> Result<BatchAnswer, SendError> {
    let trying = async {
        let mut answer = upstream.post_batch(batch.clone()).await;
        for further in Transport::<WorkerHeartbeat>::fallbacks(upstream) {
            if answer.is_ok() {
                break;
            }
            answer = further.post_batch(batch.clone()).await;
        }
        answer
    };
    tokio::time::timeout(LIMIT, trying).await.unwrap_or_else(|_| Err(SendError::timeout(LIMIT)))
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
