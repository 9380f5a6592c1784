//! How a loop ends.

use heartbeat_contract::{Exit, WorkerStatus};
use heartbeat_sender::{ChannelTransport, Outcome, heartbeat_task, run};
use tokio::sync::oneshot;

use crate::member::{Member, S, STARTED, expect_at, now, soon, stale, wall_clock, worker};

#[tokio::test(start_paused = true)]
async fn shutdown_says_goodbye_with_the_newest_state_and_ends_the_loop() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.handle.update(|worker| worker.queue_depth = Some(0));
    let leaving = tokio::spawn(member.handle.clone().shutdown());
    let heard = member.hear().await;
    assert_eq!(heard.beat().leaving.as_deref(), Some("shutdown"));
    assert_eq!((heard.seq(), heard.beat().tick, heard.worker.queue_depth), (2, None, Some(0)));
    heard.acknowledge();
    let end = soon(leaving).await.unwrap();
    assert!(matches!(&end, Outcome::Left { reason, acknowledged: true } if reason == "shutdown"), "{end:?}");
    assert!(member.ended().await.is_final());
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_bounded_when_the_registry_hangs() {
    let (mut member, _) = Member::accepted(worker()).await;
    let unanswered = member.hear().await;
    let asked = now();
    let leaving = tokio::spawn(member.handle.clone().shutdown());
    let goodbye = member.hear().await;
    assert_eq!(goodbye.at, asked, "a beat in flight is given up");
    let end = soon(leaving).await.unwrap();
    assert!(matches!(end, Outcome::Left { acknowledged: false, .. }), "{end:?}");
    expect_at(now(), asked + 2 * S);
    drop((unanswered, goodbye));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_refused_for_a_newer_run_ends_a_run_once_accepted_as_superseded() {
    let (mut member, _) = Member::accepted(worker()).await;
    let leaving = tokio::spawn(member.handle.clone().shutdown());
    member.hear().await.answer(Err(stale(STARTED + 7)));
    let end = soon(leaving).await.unwrap();
    assert!(matches!(end, Outcome::Superseded { newest } if newest == STARTED + 7), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_refused_to_a_run_never_accepted_is_one_unacknowledged() {
    let mut member = Member::start(worker());
    let leaving = tokio::spawn(member.handle.clone().shutdown());
    let goodbye = member.hear().await;
    assert!(goodbye.beat().leaving.is_some());
    goodbye.answer(Err(stale(STARTED + 7)));
    let end = soon(leaving).await.unwrap();
    assert!(matches!(end, Outcome::Left { acknowledged: false, .. }), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reason_longer_than_the_contract_allows_is_told_from_its_beginning() {
    let (mut member, _) = Member::accepted(worker()).await;
    let leaving = tokio::spawn(member.handle.clone().shutdown_because("ä".repeat(129)));
    let heard = member.hear().await;
    assert_eq!(heard.beat().leaving.as_deref(), Some(&*"ä".repeat(128)));
    heard.acknowledge();
    soon(leaving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_asked_for_twice_is_said_once_and_for_the_first_reason() {
    for at_once in [false, true] {
        let (mut member, _) = Member::accepted(worker()).await;
        let first = tokio::spawn(member.handle.clone().shutdown_because("maintenance"));
        // Before the loop looks, or while the goodbye is on its way.
        let early = at_once.then(|| tokio::spawn(member.handle.clone().shutdown()));
        let heard = member.hear().await;
        let second = early.unwrap_or_else(|| tokio::spawn(member.handle.clone().shutdown()));
        heard.acknowledge();
        for end in [soon(first).await.unwrap(), soon(second).await.unwrap()] {
            assert!(matches!(&end, Outcome::Left { reason, .. } if reason == "maintenance"), "{end:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_future_given_to_run_says_goodbye_too() {
    let (transport, mut deliveries) = ChannelTransport::new(1);
    let (handle, task) = heartbeat_task(worker()).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        stopped.await.ok();
    };
    let running = tokio::spawn(run(task, transport, wall_clock, shutdown));
    stop.send(()).unwrap();
    let goodbye = soon(deliveries.recv()).await.unwrap();
    assert_eq!(goodbye.beat.beat.unwrap().leaving.as_deref(), Some("shutdown"));
    drop(goodbye.answer);
    assert!(matches!(soon(running).await.unwrap(), Outcome::Left { acknowledged: false, .. }));
    assert!(handle.outcomes().latest().is_final());
}

#[tokio::test(start_paused = true)]
async fn an_ended_loop_takes_no_harm_from_its_handle() {
    let (member, _) = Member::accepted(worker()).await;
    member.run.abort();
    let handle = member.handle;
    assert!(matches!(soon(handle.clone().shutdown()).await, Outcome::Acknowledged { .. }));
    handle.update(|worker| worker.status = Some(WorkerStatus::Busy));
    handle.progress().tick();
    handle.beat_now();
    handle.set_interval(S).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_exit_is_told_by_a_last_beat_that_is_no_goodbye() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.handle.update(|worker| worker.queue_depth = Some(7));
    let exit = Exit { pid: Some(4711), exit_code: Some(3), signal: None };
    let ending = tokio::spawn(member.handle.clone().shutdown_as_exited(exit));
    let heard = member.hear().await;
    assert_eq!((heard.beat().exit, &heard.beat().leaving), (Some(exit), &None));
    assert_eq!(heard.worker.queue_depth, Some(7));
    heard.acknowledge();
    let end = soon(ending).await.unwrap();
    assert!(matches!(end, Outcome::Exited { exit: told, acknowledged: true } if told == exit), "{end:?}");
    assert!(member.ended().await.is_final());
}
