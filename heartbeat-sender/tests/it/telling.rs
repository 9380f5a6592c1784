//! What beats tell, and what the handle may do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use heartbeat_contract::{MemberId, Payload, Progress, WorkerHeartbeat, WorkerStatus, Zone};
use heartbeat_sender::Outcome;

use crate::member::{Member, S, now, soon, wall_clock, worker};

#[tokio::test(start_paused = true)]
async fn each_beat_tells_who_where_and_when() {
    let mut config = worker().initially(|worker| worker.status = Some(WorkerStatus::Starting));
    config.endpoint = Some("http://10.0.0.7:9001".to_owned());
    config.hive_id = Some(MemberId::new("hive-7").unwrap());
    config.zone = Some(Zone::new("rack-12").unwrap());
    let mut member = Member::start(config);
    let heard = member.hear().await;
    assert_eq!(heard.worker.id(), member.handle.id());
    assert_eq!(heard.worker.status, Some(WorkerStatus::Starting));
    assert_eq!(heard.worker.timestamp, Some(wall_clock()));
    let beat = heard.beat();
    assert_eq!(beat.endpoint.as_deref(), Some("http://10.0.0.7:9001"));
    assert_eq!(beat.hive_id.as_ref().map(MemberId::as_str), Some("hive-7"));
    assert_eq!(beat.zone.as_ref().map(Zone::as_str), Some("rack-12"));
    assert!(heartbeat_contract::validate(&heard.worker).is_ok());
}

#[tokio::test(start_paused = true)]
async fn progress_tells_how_long_ago_the_work_advanced() {
    let (mut member, _) = Member::accepted(worker()).await;
    let progress = member.handle.progress();
    progress.busy(true);
    progress.add(5);
    let advanced = now();
    tokio::time::sleep(S).await;
    progress.advance_to(5);
    let heard = member.hear().await;
    let age = heard.at - advanced;
    let Progress { busy, done, age_ms } = heard.beat().progress.unwrap();
    assert_eq!((busy, done, u128::from(age_ms)), (true, 5, age.as_millis()));
}

#[tokio::test(start_paused = true)]
async fn an_update_that_changes_the_id_is_dropped() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.handle.update(|worker| {
        worker.worker_id = MemberId::new("somebody-else").unwrap();
        worker.queue_depth = Some(7);
    });
    let heard = member.hear().await;
    assert_eq!((heard.worker.worker_id.as_str(), heard.worker.queue_depth), ("worker-123", None));
}

#[tokio::test(start_paused = true)]
async fn an_update_that_breaks_the_contract_is_dropped() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.handle.update(|worker| worker.queue_depth = Some(3));
    let breaks: [fn(&mut WorkerHeartbeat); 2] = [
        |worker| worker.gpu_utilization = Some(f64::NAN),
        |worker| {
            worker.status = Some(WorkerStatus::Busy);
            worker.last_error = Some("x".repeat(1025));
        },
    ];
    for change in breaks {
        member.handle.update(change);
    }
    let heard = member.hear().await;
    assert!(heartbeat_contract::validate(&heard.worker).is_ok());
    let WorkerHeartbeat { status, queue_depth, gpu_utilization, ref last_error, .. } = heard.worker;
    assert_eq!((status, queue_depth, gpu_utilization, last_error), (None, Some(3), None, &None));
}

#[tokio::test(start_paused = true)]
async fn an_update_that_panics_leaves_the_loop_beating_and_the_payload_whole() {
    let (mut member, _) = Member::accepted(worker()).await;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        member.handle.update(|worker| {
            worker.queue_depth = Some(7);
            std::panic::resume_unwind(Box::new("a bug in the application"));
        });
    }));
    assert!(panicked.is_err());
    let heard = member.hear().await;
    assert_eq!(heard.worker.queue_depth, None);
    heard.acknowledge();
    member.handle.update(|worker| worker.queue_depth = Some(8));
    assert_eq!(member.hear().await.worker.queue_depth, Some(8));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_lets_the_loop_run_on() {
    let (mut member, _) = Member::accepted(worker()).await;
    let (spare, other) = (Member::start(worker()).handle, member.handle.clone());
    drop(std::mem::replace(&mut member.handle, spare));
    drop(other);
    for seq in 2..6 {
        let heard = member.hear().await;
        assert_eq!(heard.seq(), seq);
        heard.acknowledge();
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_has_gone_counts_as_unreachable() {
    let mut member = Member::start(worker());
    member.hear().await.acknowledge();
    member.outcome().await;
    member.stop_hearing();
    let Outcome::Failed { error, .. } = member.outcome().await else { panic!("it succeeded") };
    assert!(error.is_connect(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_the_consumer_drops_counts_as_lost() {
    let mut member = Member::start(worker());
    drop(member.hear().await);
    let Outcome::Failed { error, .. } = member.outcome().await else { panic!("it succeeded") };
    assert!(error.is_lost(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_returns_each_latest_outcome_once_and_ends_with_the_loop() {
    let (mut member, _) = Member::accepted(worker()).await;
    let mut outcomes = member.handle.outcomes();
    assert!(matches!(soon(outcomes.next()).await, Some(Outcome::Acknowledged { seq: 1, .. })));
    member.hear().await.acknowledge();
    assert!(matches!(soon(outcomes.next()).await, Some(Outcome::Acknowledged { seq: 2, .. })));
    member.run.abort();
    assert!(soon(outcomes.next()).await.is_none());
}
