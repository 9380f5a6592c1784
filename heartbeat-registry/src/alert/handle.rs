//! Looking at alerts that are configured, and ending them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::callback::Ended;
use super::thread::Running;

/// What became of alerts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertStats {
    /// Calls of callbacks that ended well.
    pub told: u64,
    /// Alerts that some callback asks for, and that the cooldown held back, whether they were told later or not.
    pub suppressed: u64,
    /// Calls of callbacks that panicked.
    pub panicked: u64,
    /// Calls of callbacks whose future was dropped, since it had not ended after the timeout.
    pub timed_out: u64,
    /// Events that the log dropped before they were read, because callbacks were too slow for it. Some of them may have
    /// been alerts: ask the registry itself for how things stand.
    pub missed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    told: AtomicU64,
    suppressed: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    missed: AtomicU64,
}

impl Counts {
    pub(super) fn ended(&self, how: Ended) {
        let count = match how {
            Ended::Well => &self.told,
            Ended::Panicked => &self.panicked,
            Ended::TimedOut => &self.timed_out,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn suppressed(&self) {
        self.suppressed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn missed(&self, events: u64) {
        self.missed.fetch_add(events, Ordering::Relaxed);
    }

    fn read(&self) -> AlertStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AlertStats {
            told: of(&self.told),
            suppressed: of(&self.suppressed),
            panicked: of(&self.panicked),
            timed_out: of(&self.timed_out),
            missed: of(&self.missed),
        }
    }
}

/// Alerts that are being told. They go on without it: until they are [stopped](Self::stop), or the fleet is shut down or
/// dropped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AlertsHandle {
    pub(super) counts: Arc<Counts>,
    pub(super) running: Arc<Running>,
}

impl AlertsHandle {
    /// What became of them so far.
    #[must_use]
    pub fn stats(&self) -> AlertStats {
        self.counts.read()
    }

    /// Whether they are still being told.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.running.has_ended()
    }

    /// Ends them. No other call begins, and one whose future is under way is dropped; a closure that blocks ends first.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Waits until they have ended and their callbacks are dropped. From within a callback of theirs, that never is.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn ended(&self) {
        self.running.ended().await;
    }
}
