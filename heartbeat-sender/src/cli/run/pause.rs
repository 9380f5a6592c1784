//! Between two runs of the command.

use std::time::Duration;

use heartbeat_contract::WorkerHeartbeat;

use crate::HeartbeatHandle;

/// How long a command that ends at once is waited with for the answer to its first beat.
const FIRST_ANSWER: Duration = Duration::from_secs(1);

/// The run that has ended: it beats no more, and may still say goodbye.
#[must_use = "it is to say goodbye, or to make way for the next run"]
pub(super) struct Pause {
    resting: Option<HeartbeatHandle<WorkerHeartbeat>>,
}

impl Pause {
    /// After a run that failed, whether that was told or passed over.
    pub(super) fn of(resting: HeartbeatHandle<WorkerHeartbeat>) -> Self {
        Self { resting: Some(resting) }
    }

    /// After a run that has said goodbye, or never beat.
    pub(super) fn after_goodbye() -> Self {
        Self { resting: None }
    }

    /// No run follows, since the end was asked for meanwhile.
    pub(super) async fn leave(self, reason: String) {
        if let Some(heartbeat) = self.resting {
            // It died and is gone: the error says why still, but nobody is to be seen to.
            heartbeat.update(|worker| worker.health_status = None);
            leave(heartbeat, reason).await;
        }
    }

    /// Another run follows, and tells by its beats that this one is over.
    pub(super) async fn make_way(self) {
        if let Some(heartbeat) = self.resting {
            heartbeat.stop().await;
        }
    }
}

/// Says goodbye for a run that beats still.
pub(super) async fn leave_after_first_answer(heartbeat: HeartbeatHandle<WorkerHeartbeat>, reason: String) {
    // A goodbye cuts off what is under way, and a registry takes none of those it never heard of. If this runs out, it says
    // goodbye all the same.
    tokio::time::timeout(FIRST_ANSWER, heartbeat.outcomes().next()).await.ok();
    leave(heartbeat, reason).await;
}

/// Says goodbye for a command.
async fn leave(heartbeat: HeartbeatHandle<WorkerHeartbeat>, reason: String) {
    // What it was at is no news of one that is gone.
    heartbeat.update(|worker| worker.status = None);
    heartbeat.progress().busy(false);
    heartbeat.shutdown_because(reason).await;
}
