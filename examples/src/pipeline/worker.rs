//! The one that works and beats.

use std::fmt;
use std::time::Duration;

use heartbeat_contract::{MemberId, WorkerHeartbeat, WorkerStatus};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many results may wait to be read.
const RESULTS: usize = 8;
/// Of heartbeats only that there is one matters.
const HEARTBEATS: usize = 1;

/// Hashes a hash, again and again, and beats meanwhile.
#[derive(Debug)]
pub struct Worker {
    heartbeat: Duration,
    work: Duration,
    tasks: TaskTracker,
}

/// One unit of work, done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkResult {
    /// Counts from 1. Where one is missing, the reader was too slow for it.
    pub number: u64,
    /// The hash of the result before.
    pub hash: [u8; 32],
}

impl Worker {
    /// A worker that beats and works at these intervals; its task is one of `tasks`.
    #[must_use]
    pub fn new(heartbeat: Duration, work: Duration, tasks: &TaskTracker) -> Self {
        Self { heartbeat, work, tasks: tasks.clone() }
    }

    /// Works until it is cancelled, or nobody is left who wants its results: these come over the first channel, heartbeats
    /// over the second. It never waits for who reads them: a result or heartbeat for which there is no room is dropped.
    ///
    /// # Panics
    /// If an interval is zero, or outside a tokio runtime with time.
    #[must_use]
    pub fn do_work(&self, cancel: CancellationToken) -> (Receiver<WorkResult>, Receiver<WorkerHeartbeat>) {
        let (results, results_told) = channel(RESULTS);
        let (heartbeats, heartbeats_told) = channel(HEARTBEATS);
        let work = work(every(self.heartbeat), every(self.work), results, heartbeats);
        self.tasks.spawn(async move { cancel.run_until_cancelled_owned(work).await });
        (results_told, heartbeats_told)
    }
}

impl fmt::Display for WorkResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.hash;
        write!(f, "result {}: {a:02x}{b:02x}{c:02x}{d:02x}", self.number)
    }
}

/// Who beats.
pub(super) fn worker_id() -> MemberId {
    MemberId::new("worker").expect("it keeps the rules for ids")
}

fn every(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn work(
    mut pulse: tokio::time::Interval,
    mut pace: tokio::time::Interval,
    results: Sender<WorkResult>,
    heartbeats: Sender<WorkerHeartbeat>,
) {
    let beat = WorkerHeartbeat { status: Some(WorkerStatus::Busy), ..WorkerHeartbeat::new(worker_id()) };
    let mut result = WorkResult { number: 0, hash: [0; 32] };
    pace.tick().await; // the first comes at once, and nothing is done yet
    loop {
        tokio::select! {
            _ = pulse.tick() => {
                offer(&heartbeats, beat.clone());
            }
            _ = pace.tick() => {
                result = WorkResult { number: result.number + 1, hash: Sha256::digest(result.hash).into() };
                if offer(&results, result.clone()) == Reader::Gone {
                    return;
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

fn offer<T>(channel: &Sender<T>, value: T) -> Reader {
    match channel.try_send(value) {
        Ok(()) | Err(TrySendError::Full(_)) => Reader::There,
        Err(TrySendError::Closed(_)) => Reader::Gone,
    }
}
