//! How beats fared.

use std::time::Duration;

use heartbeat_contract::{Ack, Exit};
use tokio::sync::watch;

use crate::SendError;

/// How the latest beat fared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// No beat has been answered or given up yet.
    Pending,
    /// The registry acknowledged it.
    Acknowledged {
        /// Its number within the run.
        seq: u64,
        /// The answer. Its directives come again with each ack until they are obeyed;
        /// [`HeartbeatHandle::directives`](crate::HeartbeatHandle::directives) tells each once.
        ack: Ack,
        /// How long the answer took.
        rtt: Duration,
    },
    /// No registry acknowledged it. It may be about to be repeated, if it is the first one; the next one goes out as
    /// scheduled.
    Failed {
        /// Its number within the run.
        seq: u64,
        /// Why.
        error: SendError,
        /// How many beats in a row have failed, this one included.
        consecutive: u64,
    },
    /// A newer run of the same id has taken this one's place: the loop has ended and beats no more. Two processes share
    /// an id, or this one was replaced while it could not be heard.
    Superseded {
        /// The newest run, in microseconds since the epoch at its start.
        newest: u64,
    },
    /// A goodbye was sent: the loop has ended.
    Left {
        /// The reason given.
        reason: String,
        /// Whether the registry acknowledged it; if not, the member will be taken for failed after a while.
        acknowledged: bool,
    },
    /// The end of the process it told of was told: the loop has ended.
    Exited {
        /// How the process ended.
        exit: Exit,
        /// Whether the registry acknowledged that; if not, it will notice the silence, and not know why.
        acknowledged: bool,
    },
}

impl Outcome {
    /// Whether the loop has ended, so that no other outcome follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Superseded { .. } | Self::Left { .. } | Self::Exited { .. })
    }
}

/// The latest [`Outcome`] of a loop, to look at or to wait on. Holds one outcome, never a queue: whoever looks seldom sees
/// only the latest.
#[derive(Clone, Debug)]
pub struct Outcomes(watch::Receiver<Outcome>);

impl Outcomes {
    pub(crate) fn new(outcomes: watch::Receiver<Outcome>) -> Self {
        Self(outcomes)
    }

    /// The latest outcome.
    #[must_use]
    pub fn latest(&self) -> Outcome {
        self.0.borrow().clone()
    }

    /// Waits for an outcome that this subscription has not returned yet, and returns the latest; `None` once the loop has
    /// ended and its last outcome has been returned.
    ///
    /// # Cancel safety
    /// Cancel safe: an outcome is marked as returned only when it is.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// Waits for the end of the loop, and returns the last outcome.
    pub(crate) async fn end(&mut self) -> Outcome {
        while self.next().await.is_some() {}
        self.latest()
    }
}
