//! When beats go out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use heartbeat_contract::{Ack, Directive, Policy, Problem, ProblemType, WorkerHeartbeat, WorkerStatus};
use heartbeat_sender::{Outcome, SendError, Transport, heartbeat_task, run};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::member::{Member, S, every, expect_at, granting, now, soon, wall_clock, worker};

#[tokio::test(start_paused = true)]
async fn the_first_beat_comes_within_a_second_the_second_within_an_interval_and_the_others_every_interval_after_it() {
    let start = now();
    let mut member = Member::start(worker());
    let announced = member.hear().await.acknowledge();
    assert!(announced - start <= S, "{:?}", announced - start);
    let first = member.hear().await.acknowledge();
    assert!(first - announced <= 30 * S, "{:?}", first - announced);
    for slot in 1..4 {
        let heard = member.hear().await;
        assert_eq!((heard.beat().tick, heard.seq()), (Some(slot), slot + 1));
        assert_eq!(heard.beat().interval_ms, Some(30_000));
        expect_at(heard.acknowledge(), first + 30 * S * u32::try_from(slot).unwrap());
    }
    assert_eq!(Policy::DEFAULT_INTERVAL, 30 * S, "a registry expects what a member does by default");
}

#[tokio::test(start_paused = true)]
async fn a_member_beats_at_the_interval_it_is_given() {
    for interval in [S, 5 * S, 30 * S] {
        let (mut member, first) = Member::accepted(every(interval)).await;
        for slot in 1..4 {
            expect_at(member.hear().await.acknowledge(), first + interval * slot);
        }
        let judged = Policy::every(interval).resolve(None, None);
        assert_eq!(judged.interval, interval, "a policy for that interval expects beats at it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_status_goes_out_at_once() {
    let (mut member, _) = Member::accepted(worker()).await;
    let changed = now();
    member.handle.update(|worker| worker.status = Some(WorkerStatus::Busy));
    let heard = member.hear().await;
    assert_eq!(heard.worker.status, Some(WorkerStatus::Busy));
    assert_eq!(heard.beat().tick, None, "a beat off schedule has no slot");
    assert_eq!(heard.acknowledge(), changed);
}

#[tokio::test(start_paused = true)]
async fn changes_within_a_second_are_told_in_one_beat() {
    let (mut member, _) = Member::accepted(worker()).await;
    let flip = |member: &Member, status| member.handle.update(|worker| worker.status = Some(status));
    flip(&member, WorkerStatus::Starting);
    let first = member.hear().await.acknowledge();
    flip(&member, WorkerStatus::Idle);
    flip(&member, WorkerStatus::Busy);
    flip(&member, WorkerStatus::Draining);
    let heard = member.hear().await;
    assert_eq!(heard.worker.status, Some(WorkerStatus::Draining));
    expect_at(heard.acknowledge(), first + S);
    assert!(member.is_silent_for(5 * S).await);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_changes_back_in_time_is_no_news() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.handle.update(|worker| worker.status = Some(WorkerStatus::Busy));
    member.hear().await.acknowledge();
    member.handle.update(|worker| worker.status = Some(WorkerStatus::Idle));
    member.handle.update(|worker| worker.status = Some(WorkerStatus::Busy));
    assert!(member.is_silent_for(5 * S).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_error_goes_out_at_once() {
    let (mut member, _) = Member::accepted(worker()).await;
    for (pause, text) in [(3, "disk full"), (4, "no such model")] {
        tokio::time::sleep(pause * S).await;
        member.handle.update(|worker| worker.last_error = Some(text.to_owned()));
        let heard = member.hear().await;
        assert_eq!((heard.worker.last_error.as_deref(), heard.beat().tick), (Some(text), None));
        assert_eq!(heard.acknowledge(), now());
    }
}

#[tokio::test(start_paused = true)]
async fn errors_within_a_second_are_told_in_one_beat() {
    let (mut member, _) = Member::accepted(worker()).await;
    let meet = |error: &str| member.handle.update(|worker| worker.last_error = Some(error.to_owned()));
    meet("attempt 1 failed");
    meet("attempt 2 failed");
    let heard = member.hear().await;
    assert_eq!(heard.worker.last_error.as_deref(), Some("attempt 2 failed"));
    let first = heard.acknowledge();
    let meet = |error: &str| member.handle.update(|worker| worker.last_error = Some(error.to_owned()));
    meet("attempt 3 failed");
    meet("attempt 4 failed");
    let heard = member.hear().await;
    assert_eq!(heard.worker.last_error.as_deref(), Some("attempt 4 failed"));
    expect_at(heard.acknowledge(), first + S);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_met_again_or_gone_waits_for_the_next_slot() {
    let (mut member, first) = Member::accepted(worker()).await;
    let meet = |member: &Member| member.handle.update(|worker| worker.last_error = Some("disk full".to_owned()));
    meet(&member);
    member.hear().await.acknowledge();
    meet(&member);
    member.handle.update(|worker| worker.last_error = None);
    meet(&member);
    assert!(member.is_silent_for(5 * S).await, "it has been told");
    member.handle.update(|worker| worker.last_error = None);
    let heard = member.hear().await;
    assert_eq!((heard.worker.last_error.as_deref(), heard.beat().tick), (None, Some(1)));
    expect_at(heard.acknowledge(), first + 30 * S);
    meet(&member);
    assert_eq!(member.hear().await.at, now(), "an error that returns is new");
}

#[tokio::test(start_paused = true)]
async fn figures_wait_for_the_next_slot() {
    let (mut member, first) = Member::accepted(worker()).await;
    member.handle.update(|worker| worker.queue_depth = Some(7));
    let heard = member.hear().await;
    assert_eq!((heard.worker.queue_depth, heard.beat().tick), (Some(7), Some(1)));
    expect_at(heard.acknowledge(), first + 30 * S);
}

#[tokio::test(start_paused = true)]
async fn beat_now_beats_now_and_moves_no_slot() {
    let (mut member, first) = Member::accepted(worker()).await;
    tokio::time::sleep(10 * S).await;
    member.handle.beat_now();
    assert_eq!(member.hear().await.acknowledge(), now());
    let heard = member.hear().await;
    assert_eq!(heard.beat().tick, Some(1));
    expect_at(heard.at, first + 30 * S);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_interval_is_told_at_once_and_restarts_the_slots() {
    let (mut member, _) = Member::accepted(worker()).await;
    tokio::time::sleep(10 * S).await;
    member.handle.set_interval(5 * S).unwrap();
    let heard = member.hear().await;
    assert_eq!((heard.beat().interval_ms, heard.beat().tick), (Some(5000), None));
    let told = heard.acknowledge();
    for slot in 0..3 {
        let heard = member.hear().await;
        assert_eq!(heard.beat().tick, Some(slot));
        expect_at(heard.acknowledge(), told + 5 * S * u32::try_from(slot + 1).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_beats_faster_while_busy_and_slower_while_idle() {
    let (mut member, _) = Member::accepted(worker()).await;
    for (status, interval) in [(WorkerStatus::Busy, S), (WorkerStatus::Idle, 120 * S), (WorkerStatus::Busy, 2 * S)] {
        tokio::time::sleep(2 * S / 3).await;
        let changed = now();
        member.handle.update(|worker| worker.status = Some(status));
        member.handle.set_interval(interval).unwrap();
        let heard = member.hear().await;
        assert_eq!(
            (heard.worker.status, heard.beat().interval(), heard.beat().tick),
            (Some(status), Some(interval), None)
        );
        assert_eq!(heard.acknowledge(), changed, "one beat tells both");
        for slot in 0..3 {
            let heard = member.hear().await;
            assert_eq!((heard.beat().interval(), heard.beat().tick), (Some(interval), Some(slot)));
            expect_at(heard.acknowledge(), changed + interval * u32::try_from(slot + 1).unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_out_of_range_is_refused_and_the_old_one_stays() {
    let (mut member, first) = Member::accepted(worker()).await;
    assert!(member.handle.set_interval(Duration::from_millis(99)).is_err());
    assert!(member.handle.set_interval(Duration::from_hours(25)).is_err());
    expect_at(member.hear().await.at, first + 30 * S);
}

#[tokio::test(start_paused = true)]
async fn a_longer_grant_is_obeyed_until_it_is_taken_back() {
    let (mut member, first) = Member::accepted(worker()).await;
    let second = member.hear().await.answer(Ok(granting(90 * S)));
    expect_at(second, first + 30 * S);
    let heard = member.hear().await;
    assert_eq!((heard.beat().interval_ms, heard.beat().tick), (Some(30_000), Some(0)));
    expect_at(heard.at, second + 90 * S);
    let third = heard.answer(Ok(granting(30 * S)));
    expect_at(member.hear().await.at, third + 30 * S);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_was_held_up_skips_slots_instead_of_bursting() {
    let (mut member, first) = Member::accepted(worker()).await;
    tokio::time::advance(100 * S).await;
    let heard = member.hear().await;
    assert_eq!((heard.beat().tick, heard.seq()), (Some(3), 2));
    heard.acknowledge();
    let heard = member.hear().await;
    assert_eq!(heard.beat().tick, Some(4));
    expect_at(heard.at, first + 120 * S);
}

#[tokio::test(start_paused = true)]
async fn a_beat_without_answer_is_given_up_after_five_seconds_and_followed_by_the_newest_state() {
    let (mut member, first) = Member::accepted(worker()).await;
    let unanswered = member.hear().await;
    member.handle.update(|worker| worker.queue_depth = Some(1));
    member.handle.update(|worker| worker.queue_depth = Some(2));
    let Outcome::Failed { seq: 2, error, consecutive: 1 } = member.outcome().await else { panic!("it succeeded") };
    assert!(error.is_timeout(), "{error}");
    expect_at(now(), unanswered.at + 5 * S);
    for _ in 0..2 {
        let retry = member.hear().await;
        assert_eq!((retry.seq(), retry.worker.queue_depth), (2, None), "the same beat again");
    }
    let heard = member.hear().await;
    assert_eq!((heard.seq(), heard.beat().tick, heard.worker.queue_depth), (3, Some(2), Some(2)));
    expect_at(heard.at, first + 60 * S);
}

#[tokio::test(start_paused = true)]
async fn a_longer_interval_that_nobody_heard_of_is_told_again_at_the_old_one() {
    let (mut member, _) = Member::accepted(every(S)).await;
    member.handle.set_interval(60 * S).unwrap();
    let lost = member.hear().await.answer(Err(Problem::new(ProblemType::Overloaded, "restarting")));
    let again = member.hear().await;
    assert_eq!((again.beat().interval_ms, again.beat().tick), (Some(60_000), None));
    expect_at(again.acknowledge(), lost + S);
    expect_at(member.hear().await.at, lost + 60 * S);
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_asks_for_comes_with_the_outcome() {
    let mut member = Member::start(worker());
    let ack = Ack { directives: vec![Directive::Drain, Directive::Shutdown], ..granting(30 * S) };
    member.hear().await.answer(Ok(ack));
    let Outcome::Acknowledged { ack, .. } = member.outcome().await else { panic!("it failed") };
    assert_eq!(ack.directives, [Directive::Drain, Directive::Shutdown]);
}

/// Refuses the second beat, which is for the first slot, with a `Retry-After`.
struct Overloaded {
    retry_after: Duration,
    beats: AtomicU32,
    heard: mpsc::UnboundedSender<Instant>,
}

impl Transport<WorkerHeartbeat> for Overloaded {
    async fn send(&self, _: WorkerHeartbeat) -> Result<Ack, SendError> {
        self.heard.send(now()).unwrap();
        if self.beats.fetch_add(1, Ordering::Relaxed) != 1 {
            return Ok(granting(30 * S));
        }
        let problem = Problem::new(ProblemType::Overloaded, "too much to do");
        Err(SendError::refused(problem).with_retry_after(self.retry_after))
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_by_at_most_one_interval() {
    for (retry_after, next) in [(10 * S, 30 * S), (40 * S, 40 * S), (900 * S, 60 * S)] {
        let (heard, mut hearing) = mpsc::unbounded_channel();
        let (_handle, task) = heartbeat_task(worker()).unwrap();
        let transport = Overloaded { retry_after, beats: AtomicU32::new(0), heard };
        let beating = tokio::spawn(run(task, transport, wall_clock, std::future::pending()));
        soon(hearing.recv()).await.unwrap();
        let first = soon(hearing.recv()).await.unwrap();
        expect_at(soon(hearing.recv()).await.unwrap(), first + next);
        beating.abort();
    }
}
