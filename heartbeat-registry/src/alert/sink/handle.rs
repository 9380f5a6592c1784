//! Looking at alerts that are sent, and ending that.

use std::sync::Arc;

use heartbeat_contract::SinkStats;

use super::stats::Counts;
use crate::alert::thread::Running;

/// Alerts that are being sent. They go on without it: until they are [stopped](Self::stop), or the fleet is shut down or
/// dropped. Cheap to clone.
#[derive(Clone)]
pub struct SinkHandle {
    pub(super) counts: Arc<Counts>,
    pub(super) running: Arc<Running>,
}

impl SinkHandle {
    /// What became of them so far.
    #[must_use]
    pub fn stats(&self) -> SinkStats {
        self.counts.read()
    }

    /// Whether they are still being sent.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.running.has_ended()
    }

    /// Ends them. A request that is under way is broken off; what waits to be sent is not.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Waits until they have ended.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn ended(&self) {
        self.running.ended().await;
    }
}

impl std::fmt::Debug for SinkHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
