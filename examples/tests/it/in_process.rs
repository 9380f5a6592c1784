//! Senders and a registry in one process, with a channel between them.

use std::time::Duration;

use examples::transport_to;
use heartbeat_contract::{HealthState, MemberId, WorkerStatus};
use heartbeat_registry::{FleetConfig, WorkerRegistry};
use heartbeat_sender::{Outcome, WorkerHeartbeatConfig, start_over};

use crate::waiting::until;

#[tokio::test]
async fn beats_over_a_channel_are_recorded_from_the_first_to_the_goodbye() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let (transport, recording) = transport_to(workers.clone());
    let recording = tokio::spawn(recording);
    let mut config = WorkerHeartbeatConfig::in_process("worker-1");
    config.interval = Duration::from_millis(100);
    let heartbeat = start_over(config, transport).unwrap();

    let id = MemberId::new("worker-1").unwrap();
    until("a healthy worker", async || workers.health(&id).ok().filter(|state| *state == HealthState::Healthy)).await;
    heartbeat.update(|worker| worker.status = Some(WorkerStatus::Busy));
    until("a busy worker", async || workers.latest(&id)?.status.filter(|status| *status == WorkerStatus::Busy)).await;
    assert_eq!(workers.view(&id).unwrap().host, "local");

    let end = heartbeat.shutdown().await;
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    assert_eq!(workers.health(&id), Ok(HealthState::Left));
    recording.await.unwrap();
    workers.fleet().shutdown().await;
}
