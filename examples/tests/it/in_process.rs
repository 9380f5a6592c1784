//! Senders and a registry in one process, with a channel between them.

use std::time::Duration;

use heartbeat_contract::{Ack, HealthState, MemberId, Problem, WorkerHeartbeat, WorkerStatus};
use heartbeat_registry::{FleetConfig, WorkerRegistry};
use heartbeat_sender::{ChannelTransport, Delivery, Outcome, WorkerHeartbeatConfig, start_over, system_clock};
use tokio::sync::mpsc::Receiver;

use crate::waiting::until;

/// Records what arrives, and answers as the HTTP route does.
async fn record_all(workers: WorkerRegistry, mut deliveries: Receiver<Delivery<WorkerHeartbeat>>) {
    while let Some(Delivery { beat, answer }) = deliveries.recv().await {
        let recorded = workers.record(beat).map_err(Problem::from);
        answer.send(recorded.map(|recorded| Ack {
            acknowledged: true,
            server_time: system_clock(),
            next_in_ms: u64::try_from(recorded.next_in.as_millis()).unwrap(),
            directives: recorded.directives,
        }));
    }
}

#[tokio::test]
async fn beats_over_a_channel_are_recorded_from_the_first_to_the_goodbye() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let (transport, deliveries) = ChannelTransport::new(16);
    let recording = tokio::spawn(record_all(workers.clone(), deliveries));
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
