//! What a registry asks, and how often the application is told.

use heartbeat_contract::Directive::{Drain, Shutdown, Unknown};
use heartbeat_contract::{Ack, Directive, Problem, ProblemType, WorkerStatus};
use heartbeat_sender::{Directives, Outcome};
use tokio::time::timeout;

use crate::member::{Member, S, granting, soon, worker};

impl Member {
    /// Answers the next beat, and waits until the loop has taken the answer in.
    async fn is_asked(&mut self, directives: &[Directive]) {
        let heard = self.hear().await;
        let interval = heard.beat().interval().unwrap();
        heard.answer(Ok(Ack { directives: directives.to_vec(), ..granting(interval) }));
        assert!(matches!(self.outcome().await, Outcome::Acknowledged { .. }));
    }
}

async fn next(directives: &mut Directives) -> Directive {
    soon(directives.next()).await.expect("the loop has ended")
}

async fn is_silent(directives: &mut Directives) -> bool {
    timeout(S, directives.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_directive_is_told_once_however_often_acks_repeat_it() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    for _ in 0..3 {
        member.is_asked(&[Drain]).await;
    }
    assert_eq!(next(&mut directives).await, Drain);
    member.is_asked(&[Drain]).await;
    assert!(is_silent(&mut directives).await);
    assert_eq!(directives.current(), [Drain], "it still stands");
}

#[tokio::test(start_paused = true)]
async fn a_directive_that_was_withdrawn_is_told_when_it_is_asked_again() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    member.is_asked(&[Drain]).await;
    assert_eq!(next(&mut directives).await, Drain);
    member.is_asked(&[]).await;
    assert!(is_silent(&mut directives).await);
    assert_eq!(directives.current(), []);
    member.is_asked(&[Drain]).await;
    assert_eq!(next(&mut directives).await, Drain);
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_fails_withdraws_nothing() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    member.is_asked(&[Drain]).await;
    assert_eq!(next(&mut directives).await, Drain);
    member.hear().await.answer(Err(Problem::new(ProblemType::Unavailable, "restarting")));
    assert!(matches!(member.outcome().await, Outcome::Failed { .. }));
    member.is_asked(&[Drain]).await;
    assert!(is_silent(&mut directives).await);
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_is_told_what_is_asked_at_present_and_nothing_of_the_past() {
    let mut member = Member::start(worker());
    member.is_asked(&[Drain]).await;
    member.is_asked(&[Shutdown]).await;
    let mut early = member.handle.directives();
    assert_eq!(next(&mut early).await, Shutdown);
    assert!(is_silent(&mut early).await);
    let mut late = member.handle.directives();
    assert_eq!(next(&mut late).await, Shutdown, "each subscription is told for itself");
    let mut copy = early.clone();
    assert!(is_silent(&mut copy).await, "but a copy knows what its original knew");
}

#[tokio::test(start_paused = true)]
async fn a_word_of_a_newer_version_is_not_told() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    member.is_asked(&[Unknown, Drain]).await;
    assert_eq!(next(&mut directives).await, Drain);
    assert!(is_silent(&mut directives).await);
    assert_eq!(directives.current(), [Drain]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_subscriber_is_woken_and_obeying_tells_the_registry_at_once() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    let heartbeat = member.handle.clone();
    let obeying = tokio::spawn(async move {
        while let Some(directive) = directives.next().await {
            match directive {
                Drain => heartbeat.update(|worker| worker.status = Some(WorkerStatus::Draining)),
                _ => return heartbeat.shutdown().await,
            }
        }
        panic!("the loop has ended");
    });
    member.is_asked(&[Drain]).await;
    let heard = member.hear().await;
    assert_eq!((heard.worker.status, heard.beat().tick), (Some(WorkerStatus::Draining), None));
    heard.acknowledge();
    member.outcome().await;
    member.is_asked(&[Shutdown]).await;
    let heard = member.hear().await;
    assert!(heard.beat().leaving.is_some());
    heard.acknowledge();
    assert!(matches!(soon(obeying).await.unwrap(), Outcome::Left { acknowledged: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_the_loop() {
    let mut member = Member::start(worker());
    let mut directives = member.handle.directives();
    member.is_asked(&[Drain]).await;
    member.run.abort();
    assert_eq!(soon(directives.next()).await, Some(Drain), "not before it has told everything");
    assert_eq!(soon(directives.next()).await, None);
}
