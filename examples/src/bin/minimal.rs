//! The least there is: a registry in this process, and a worker that falls silent. No HTTP, no sender.
//!
//! The registry is told to expect a beat every 100 ms. One comes and no other, so the worker is degraded after one
//! interval, critical after two and failed after three, each with an allowance of a quarter of the interval.

use std::error::Error;
use std::time::Duration;

use heartbeat_contract::{HealthState, MemberId, Policy, WorkerHeartbeat};
use heartbeat_registry::{FleetConfig, WorkerRegistry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let workers = WorkerRegistry::start(FleetConfig::default())?;
    let mut transitions = workers.subscribe();
    let id = MemberId::new("worker-1")?;
    workers.start_monitoring(&id, Policy::every(Duration::from_millis(100)))?;
    workers.record(WorkerHeartbeat::new(id))?;
    let mut state = HealthState::Healthy;
    while state != HealthState::Failed {
        let change = transitions.next().await?;
        println!("{}: {} -> {} after {} ms", change.member, change.from, change.to, change.age.as_millis());
        state = change.to;
    }
    workers.shutdown().await;
    Ok(())
}
