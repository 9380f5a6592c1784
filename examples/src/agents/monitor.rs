//! The one that looks for silent agents.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_contract::{MemberId, Policy};
use heartbeat_registry::{RecordError, WorkerRegistry};
use tokio::sync::mpsc;

use super::{Agent, AgentMessage};

/// Shuts down agents that have not beaten for too long.
#[derive(Debug)]
pub struct Monitor {
    registry: WorkerRegistry,
    threshold: Duration,
    agents: BTreeMap<MemberId, mpsc::Sender<AgentMessage>>,
}

impl Monitor {
    /// A monitor that calls an agent unhealthy once the registry has not heard of it for longer than the threshold.
    #[must_use]
    pub fn new(registry: WorkerRegistry, threshold: Duration) -> Self {
        Self { registry, threshold, agents: BTreeMap::new() }
    }

    /// Looks after an agent from now on, also if it never beats.
    ///
    /// # Errors
    /// If the registry has no room for it.
    pub fn watch_over(&mut self, agent: &Agent) -> Result<(), RecordError> {
        self.registry.start_monitoring(agent.id(), Policy::default())?;
        self.agents.insert(agent.id().clone(), agent.messages());
        Ok(())
    }

    /// Tells every unhealthy agent to shut down, and returns those it told: it looks after them no longer. One with too
    /// many messages before it to take another is told by a later check.
    pub fn check(&mut self) -> Vec<MemberId> {
        let mut told = self.registry.stale(self.threshold);
        told.retain(|id| self.agents.get(id).is_some_and(|agent| agent.try_send(AgentMessage::Shutdown).is_ok()));
        for id in &told {
            self.agents.remove(id);
        }
        told
    }

    /// Checks again and again, the first time after `every`, and passes on those it told to shut down; until nobody takes
    /// them any more.
    ///
    /// # Cancel safety
    /// Dropped, it checks no more; every agent that was told has been passed on, but for those of a check under way.
    ///
    /// # Panics
    /// If `every` is zero.
    pub async fn run(mut self, every: Duration, unhealthy: mpsc::Sender<MemberId>) {
        let mut checks = tokio::time::interval(every);
        checks.tick().await; // the first comes at once
        loop {
            tokio::select! {
                _ = checks.tick() => {}
                () = unhealthy.closed() => return,
            }
            for id in self.check() {
                if unhealthy.send(id).await.is_err() {
                    return;
                }
            }
        }
    }
}
