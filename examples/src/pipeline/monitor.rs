//! The one that listens for heartbeats.

use std::future::pending;
use std::time::Duration;

use heartbeat_contract::{HealthState, Policy, Violations, WorkerHeartbeat};
use heartbeat_registry::{Fleet, FleetConfig, RecordError, WorkerRegistry};
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::TokioClock;
use super::worker::worker_id;

/// Notices that heartbeats stop.
#[derive(Debug)]
pub struct Monitor {
    policy: Policy,
    tasks: TaskTracker,
}

/// What a monitor noticed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No heartbeat came for so long.
    #[error("no heartbeat for {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The worker has ended, though nobody cancelled it.
    #[error("the worker has ended")]
    Ended,
    /// A heartbeat broke the contract.
    #[error("a heartbeat was refused")]
    Refused(#[source] RecordError),
}

impl Monitor {
    /// A monitor that calls a silence longer than `timeout` a fault; its task is one of `tasks`.
    ///
    /// # Errors
    /// If the timeout is below 200 ms or not in whole milliseconds.
    pub fn new(timeout: Duration, tasks: &TaskTracker) -> Result<Self, Violations> {
        let half = Duration::from_millis(u64::try_from(timeout.as_millis() / 2).unwrap_or(u64::MAX));
        // Failed after two intervals and the allowance: after the timeout exactly.
        let policy = Policy { threshold: 2, allowance: Some(timeout - 2 * half), ..Policy::every(half) };
        policy.validate()?;
        Ok(Self { policy, tasks: tasks.clone() })
    }

    /// Watches until it is cancelled or has told one fault.
    #[must_use]
    pub fn watch(&self, cancel: CancellationToken, heartbeats: Receiver<WorkerHeartbeat>) -> Receiver<Fault> {
        let (errors, errors_told) = channel(1);
        let policy = self.policy.clone();
        let watch = async move {
            // Without a reader there is nobody to tell, and nothing more to watch.
            errors.send(fault(policy, heartbeats).await).await.ok();
        };
        self.tasks.spawn(async move {
            tokio::select! {
                biased; // a worker that was cancelled as well has ended, and that is no fault
                () = cancel.cancelled() => {}
                () = watch => {}
            }
        });
        errors_told
    }
}

/// Waits for the first fault. The registry judges while this is awaited, and on no thread of its own.
async fn fault(policy: Policy, heartbeats: Receiver<WorkerHeartbeat>) -> Fault {
    let fleet = Fleet::new(FleetConfig::default(), TokioClock::start()).expect("the defaults are within their limits");
    let workers = WorkerRegistry::new(&fleet);
    workers.start_monitoring(&worker_id(), policy).expect("the policy is valid, and there is room for one");
    tokio::select! {
        age = failed(&workers) => Fault::Silent(age),
        fault = record(&workers, heartbeats) => fault,
        () = fleet.drive(pending()) => unreachable!("its end is never asked for"),
    }
}

/// Waits until a worker has failed, and tells how long it had been silent.
async fn failed(workers: &WorkerRegistry) -> Duration {
    let mut transitions = workers.subscribe();
    while let Ok(change) = transitions.next().await {
        if change.to == HealthState::Failed {
            return change.age;
        }
    }
    pending().await
}

async fn record(workers: &WorkerRegistry, mut heartbeats: Receiver<WorkerHeartbeat>) -> Fault {
    while let Some(beat) = heartbeats.recv().await {
        if let Err(error) = workers.record(beat) {
            return Fault::Refused(error);
        }
    }
    Fault::Ended
}
