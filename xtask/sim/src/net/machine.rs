//! Hosts of members, and the processes on them: the real sender loop, each over a connection of its own.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use heartbeat_contract::{HealthStatus, HiveHeartbeat, MemberId, Payload, WorkerHeartbeat, Zone};
use heartbeat_sender::{HeartbeatConfig, HeartbeatHandle, Outcome, heartbeat_task, run};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::gate::{Gate, Gated};
use super::time::{Time, Wall};
use super::wire::{Mischief, Wire};
use crate::check::Name;

/// How many processes may be started on a machine within one step.
const STARTS: usize = 64;

/// A host of the simulated network.
pub(crate) struct Machine {
    pub(crate) host: String,
    pub(crate) wall: Wall,
    pub(crate) mischief: Mischief,
    pub(crate) is_up: bool,
    starts: Rc<RefCell<Option<mpsc::Sender<Start>>>>,
}

/// A process that waits to be started, and the place where to find it then.
struct Start {
    run: Pin<Box<dyn Future<Output = ()> + Send>>,
    started: Arc<Mutex<Option<AbortHandle>>>,
}

impl Machine {
    pub(crate) fn new(host: &str, seed: u64, time: &Time) -> Self {
        Self {
            host: host.to_owned(),
            wall: Wall::new(time),
            mischief: Mischief::new(seed),
            is_up: true,
            starts: Rc::default(),
        }
    }

    /// What runs on the host, from each boot to the next crash.
    pub(crate) fn software(&self) -> impl Fn() -> Pin<Box<dyn Future<Output = turmoil::Result>>> + use<> {
        let starts = Rc::clone(&self.starts);
        move || {
            let (start, mut to_start) = mpsc::channel(STARTS);
            starts.replace(Some(start));
            Box::pin(async move {
                while let Some(Start { run, started }) = to_start.recv().await {
                    let process = tokio::task::spawn_local(run);
                    *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(process.abort_handle());
                }
                Ok(())
            })
        }
    }

    /// Starts a run of a member.
    pub(crate) fn start(&self, member: &Member) -> Option<Process> {
        if member.is_hive {
            self.start_as(member, HiveHeartbeat::new(member.id.clone()))
        } else {
            self.start_as(member, WorkerHeartbeat::new(member.id.clone()))
        }
    }

    fn start_as<P: Payload + Steered>(&self, member: &Member, payload: P) -> Option<Process> {
        let mut config = HeartbeatConfig::of(payload);
        config.interval = member.interval;
        config.zone = Some(member.zone.clone());
        config.hive_id = member.hive_id.clone();
        config.endpoint = member.endpoint.clone();
        let (handle, task) = heartbeat_task(config).expect("the members of a simulation are within the limits");
        let (wall, gate, wire) = (self.wall.clone(), Gate::default(), Wire::new(&self.mischief));
        let beat = run(task, wire, move || wall.read(), std::future::pending());
        let beat: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(beat.map(drop));
        let started = Arc::default();
        let start = Start { run: Box::pin(Gated::new(beat, &gate)), started: Arc::clone(&started) };
        self.starts.borrow().as_ref()?.try_send(start).ok()?;
        let helm = Box::new(handle);
        Some(Process { name: member.name(), host: self.host.clone(), gate, helm, started, is_killed: false })
    }
}

/// Somebody who is to be monitored, wherever it runs.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) is_hive: bool,
    pub(crate) id: MemberId,
    pub(crate) home: usize,
    pub(crate) interval: Duration,
    pub(crate) zone: Zone,
    pub(crate) hive_id: Option<MemberId>,
    pub(crate) endpoint: Option<String>,
}

impl Member {
    pub(crate) fn name(&self) -> Name {
        format!("{}/{}", if self.is_hive { "hive" } else { "worker" }, self.id)
    }
}

/// One run of a member.
pub(crate) struct Process {
    pub(crate) name: Name,
    pub(crate) host: String,
    pub(crate) gate: Gate,
    pub(crate) helm: Box<dyn Helm>,
    started: Arc<Mutex<Option<AbortHandle>>>,
    is_killed: bool,
}

impl Process {
    /// Whether it still beats, or will once it gets to run.
    pub(crate) fn lives(&self) -> bool {
        !self.is_killed && !self.helm.latest().is_final()
    }

    /// Ends it without a goodbye.
    pub(crate) fn kill(&mut self) {
        self.is_killed = true;
        if let Some(process) = self.started.lock().unwrap_or_else(PoisonError::into_inner).take() {
            process.abort();
        }
    }
}

/// What a simulation may tell a process to do, whatever kind its member is of.
pub(crate) trait Helm {
    fn latest(&self) -> Outcome;
    fn set_interval(&self, interval: Duration);
    fn report(&self, health: HealthStatus);
    /// Says goodbye, and waits for nothing.
    fn leave(&self);
}

impl<P: Payload + Steered> Helm for HeartbeatHandle<P> {
    fn latest(&self) -> Outcome {
        self.outcomes().latest()
    }

    fn set_interval(&self, interval: Duration) {
        Self::set_interval(self, interval).expect("the intervals of a simulation are within the limits");
    }

    fn report(&self, health: HealthStatus) {
        self.update(|payload| payload.feel(health));
    }

    fn leave(&self) {
        drop(self.clone().shutdown().now_or_never());
    }
}

/// A payload that says how its member feels.
pub(crate) trait Steered {
    fn feel(&mut self, health: HealthStatus);
}

impl Steered for WorkerHeartbeat {
    fn feel(&mut self, health: HealthStatus) {
        self.health_status = Some(health);
    }
}

impl Steered for HiveHeartbeat {
    fn feel(&mut self, health: HealthStatus) {
        self.health_status = Some(health);
    }
}
