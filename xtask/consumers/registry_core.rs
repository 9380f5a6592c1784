//! Judges a worker that falls silent, without HTTP, a runtime, or time that passes.

use std::error::Error;
use std::time::Duration;

use heartbeat_registry::contract::{HealthState, MemberId, WorkerHeartbeat};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock, WorkerRegistry};

fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new("2026-01-02T03:00:00Z".parse()?);
    let fleet = Fleet::new(FleetConfig::default(), clock.clone())?;
    let workers = WorkerRegistry::new(&fleet);
    let mut transitions = workers.subscribe();
    let id = MemberId::new("worker-123")?;
    workers.record(WorkerHeartbeat::new(id.clone()))?;
    for _ in 0..400 {
        clock.advance(Duration::from_millis(250));
        fleet.sweep();
    }
    assert_eq!(workers.health(&id)?, HealthState::Failed);
    for to in [HealthState::Degraded, HealthState::Critical, HealthState::Failed] {
        assert_eq!(transitions.try_next()?.map(|change| change.to), Some(to));
    }
    Ok(())
}
