//! Senders and a registry with sockets between them.

use std::time::Duration;

use heartbeat_contract::{EventBody, HealthState, Kind, MemberId, WorkerHeartbeat, WorkerStatus};
use heartbeat_sender::{
    HeartbeatHandle, HiveHeartbeatConfig, HttpTransport, Outcome, WorkerHeartbeatConfig, send_heartbeat, spawn_on,
    start_hive_heartbeat_task, start_worker_heartbeat_task,
};

use crate::real_registry::RealRegistry;
use crate::waiting::{outcome, until};

fn worker(registry: &RealRegistry, id: &str, interval: Duration) -> WorkerHeartbeatConfig {
    let mut config = WorkerHeartbeatConfig::new(id, &registry.url);
    config.interval = interval;
    config
}

fn start_worker(registry: &RealRegistry, id: &str, interval: Duration) -> HeartbeatHandle<WorkerHeartbeat> {
    start_worker_heartbeat_task(worker(registry, id, interval)).unwrap()
}

const SHORT: Duration = Duration::from_millis(100);
/// So long that no beat of the schedule but the first is sent within a test.
const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_worker_is_healthy_and_shows_what_it_was_updated_to() {
    let registry = RealRegistry::start().await;
    let heartbeat = start_worker(&registry, "worker-1", SHORT);
    let view = registry.until_healthy("worker-1").await;
    assert!(view.ordered);
    assert_eq!(view.interval_ms, Some(100));

    heartbeat.update(|worker| worker.queue_depth = Some(7));
    let seven = |payload: &serde_json::Value| payload["queue_depth"] == 7;
    registry.until_worker("worker-1", "queue depth 7", |view| view.payload.as_ref().is_some_and(seven)).await;
    heartbeat.shutdown().await;
    registry.stop().await;
}

#[tokio::test]
async fn a_change_of_status_does_not_wait_for_the_next_beat() {
    let registry = RealRegistry::start().await;
    let heartbeat = start_worker(&registry, "worker-1", LONG);
    registry.until_healthy("worker-1").await;
    heartbeat.update(|worker| worker.status = Some(WorkerStatus::Busy));
    registry.until_worker("worker-1", "status busy", |view| view.status.as_deref() == Some("busy")).await;
    heartbeat.shutdown().await;
    registry.stop().await;
}

#[tokio::test]
async fn a_goodbye_shows_as_left() {
    let registry = RealRegistry::start().await;
    let heartbeat = start_worker(&registry, "worker-1", LONG);
    registry.until_healthy("worker-1").await;
    let end = heartbeat.shutdown_because("update to 1.2").await;
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    let view = registry.client.member(&Kind::WORKER, &MemberId::new("worker-1").unwrap()).await.unwrap();
    assert_eq!((view.state, view.deadlines), (HealthState::Left, None));
    registry.stop().await;
}

#[tokio::test]
async fn a_second_run_of_an_id_is_a_restart_and_ends_the_first() {
    let registry = RealRegistry::start().await;
    let first = start_worker(&registry, "worker-1", SHORT);
    let before = registry.until_healthy("worker-1").await;
    let second = start_worker(&registry, "worker-1", SHORT);
    registry.until_event("a restart", |body| matches!(body, EventBody::Restarted { .. })).await;

    let newest = outcome("the first run superseded", &first, |outcome| match outcome {
        Outcome::Superseded { newest } => Some(*newest),
        _ => None,
    })
    .await;
    registry.until_event("a refused beat", |body| matches!(body, EventBody::Superseded { .. })).await;
    let after = registry.until_healthy("worker-1").await;
    assert_eq!((after.incarnation, after.restarts), (Some(newest), 1));
    assert!(after.incarnation > before.incarnation);

    let end = second.shutdown().await;
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    registry.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_degraded_then_critical_then_failed() {
    let registry = RealRegistry::start().await;
    let life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let transport = HttpTransport::new(&registry.url).unwrap();
    let heartbeat = spawn_on(life.handle(), worker(&registry, "worker-1", SHORT), transport).unwrap();
    registry.until_healthy("worker-1").await;
    life.shutdown_background();

    let is_failure = |body: &EventBody| matches!(body, EventBody::Transition { to: HealthState::Failed, .. });
    let page = registry.until_event("a failure", is_failure).await;
    let states: Vec<HealthState> = page
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Transition { to, .. } => Some(to),
            _ => None,
        })
        .collect();
    let end = [HealthState::Degraded, HealthState::Critical, HealthState::Failed];
    assert!(states.ends_with(&end), "{states:?}");
    drop(heartbeat);
    registry.stop().await;
}

#[tokio::test]
async fn a_registry_that_comes_back_gets_the_next_beat() {
    let registry = RealRegistry::start().await;
    let heartbeat = start_worker(&registry, "worker-1", Duration::from_millis(500));
    registry.until_healthy("worker-1").await;
    let address = registry.stop().await;
    let failed = outcome("a failed beat", &heartbeat, |outcome| match outcome {
        Outcome::Failed { seq, .. } => Some(*seq),
        _ => None,
    })
    .await;

    let registry = RealRegistry::start_on(address).await;
    let last_failed = match heartbeat.outcomes().latest() {
        Outcome::Failed { seq, .. } => seq.max(failed),
        _ => failed,
    };
    let acknowledged = outcome("an acknowledged beat", &heartbeat, |outcome| match outcome {
        Outcome::Acknowledged { seq, .. } if *seq > failed => Some(*seq),
        _ => None,
    })
    .await;
    // One beat may have been on its way to nobody when the registry came back.
    assert!(acknowledged <= last_failed + 2, "{acknowledged} after {last_failed}");
    registry.until_healthy("worker-1").await;
    heartbeat.shutdown().await;
    registry.stop().await;
}

#[tokio::test]
async fn one_beat_without_a_loop_registers_a_worker() {
    let registry = RealRegistry::start().await;
    let beat = WorkerHeartbeat { queue_depth: Some(3), ..WorkerHeartbeat::new(MemberId::new("worker-1").unwrap()) };
    let ack = send_heartbeat(&registry.url, beat).await.unwrap();
    assert!(ack.acknowledged);
    assert_eq!(ack.next_in_ms, 30_000);
    assert!(!registry.until_healthy("worker-1").await.ordered);
    registry.stop().await;
}

#[tokio::test]
async fn a_hive_shows_the_memory_of_this_machine() {
    let registry = RealRegistry::start().await;
    let mut config = HiveHeartbeatConfig::new("hive-1", &registry.url).with_host_metrics();
    config.interval = SHORT;
    let heartbeat = start_hive_heartbeat_task(config).unwrap();
    let id = MemberId::new("hive-1").unwrap();
    let memory = until("memory of the machine", async || {
        let view = registry.client.member(&Kind::HIVE, &id).await.ok()?;
        view.payload?["ram_total_gb"].as_f64()
    })
    .await;
    assert!(memory > 0.0);
    heartbeat.shutdown().await;
    registry.stop().await;
}
