//! Where callbacks run: on a thread of their own, so that they delay nobody.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use heartbeat_contract::{Kind, SinkStats};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::handle::Counts;
#[cfg(feature = "alerts")]
use super::sink::SinkHandle;
use super::teller::Teller;
use super::{Alerts, AlertsHandle};
use crate::engine::Engine;
use crate::fleet::StartError;
use crate::lock::lock;
use crate::log::Head;

/// How long alerts of what was logged are still told once the fleet has ended.
const GRACE: Duration = Duration::from_secs(5);
/// How long a shutdown waits for them: a little longer, since a closure that blocks cannot be ended.
const PATIENCE: Duration = Duration::from_secs(6);

/// Alerts that are being told on a thread of their own.
#[derive(Debug)]
pub(crate) struct Running {
    stop: CancellationToken,
    ended: CancellationToken,
    thread: ThreadId,
}

impl Running {
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// Starts to tell what happens to members of a kind, or of all kinds.
pub(crate) fn start(engine: &Arc<Engine>, kind: Option<Kind>, alerts: Alerts) -> Result<AlertsHandle, StartError> {
    alerts.validate()?;
    let counts = Arc::<Counts>::default();
    let mut teller = Teller::new(engine, kind, alerts, Arc::clone(&counts));
    let running = spawn(engine, move || async move { teller.tell_all().await })?;
    Ok(AlertsHandle { counts, running })
}

/// Runs something that follows the log on a thread of its own, until it ends or is stopped, or the fleet has ended and
/// some time has passed.
pub(super) fn spawn<F: Future<Output = ()>>(
    engine: &Arc<Engine>,
    task: impl FnOnce() -> F + Send + 'static,
) -> Result<Arc<Running>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let (stopped, done, head) = (stop.clone(), ended.clone(), engine.log.watch());
    let thread = thread::Builder::new().name("heartbeat-alerts".to_owned()).spawn(move || {
        let _ended = done.drop_guard();
        runtime.block_on(run(task(), head, stopped));
        // What callbacks left behind there must not keep this thread.
        runtime.shutdown_background();
    });
    let thread = thread.map_err(StartError::Thread)?.thread().id();
    let running = Arc::new(Running { stop, ended, thread });
    engine.alerts.add(Arc::clone(&running));
    Ok(running)
}

async fn run(task: impl Future<Output = ()>, head: watch::Receiver<Head>, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = grace_over(head) => tracing::warn!("the fleet has ended, and not all alerts could be told in time"),
        () = task => {}
    }
}

async fn grace_over(mut head: watch::Receiver<Head>) {
    // An error means that the log itself is gone, which comes to the same.
    head.wait_for(|head| head.closed).await.map(drop).ok();
    tokio::time::sleep(GRACE).await;
}

/// The alerts of a fleet.
#[derive(Debug, Default)]
pub(crate) struct AlertThreads {
    threads: Mutex<Vec<Arc<Running>>>,
    #[cfg(feature = "alerts")]
    sinks: Mutex<Vec<SinkHandle>>,
}

impl AlertThreads {
    fn add(&self, running: Arc<Running>) {
        let mut threads = lock(&self.threads);
        threads.retain(|running| !running.has_ended());
        threads.push(running);
    }

    #[cfg(feature = "alerts")]
    pub(super) fn add_sink(&self, sink: SinkHandle) {
        let mut sinks = lock(&self.sinks);
        sinks.retain(SinkHandle::is_running);
        sinks.push(sink);
    }

    /// A name that no sink has: with a number if need be.
    #[cfg(feature = "alerts")]
    pub(super) fn free_name(&self, name: &str) -> String {
        let taken: Vec<String> = self.sink_stats().into_iter().map(|sink| sink.name).collect();
        let numbered = (2_u64..).map(|n| format!("{name} {n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !taken.contains(name)).expect("there are more numbers than sinks")
    }

    /// What became of alerts that are sent, sink by sink.
    pub(crate) fn sink_stats(&self) -> Vec<SinkStats> {
        #[cfg(feature = "alerts")]
        return lock(&self.sinks).iter().filter(|sink| sink.is_running()).map(SinkHandle::stats).collect();
        #[cfg(not(feature = "alerts"))]
        Vec::new()
    }

    /// Waits until all have ended that can: not the one that waits itself, nor one whose closure blocks for too long.
    pub(crate) async fn all_ended(&self) {
        let here = thread::current().id();
        let threads = lock(&self.threads).clone();
        let threads: Vec<_> = threads.into_iter().filter(|running| running.thread != here).collect();
        if threads.iter().all(|running| running.has_ended()) {
            return;
        }
        let all_ended = async {
            for running in &threads {
                running.ended().await;
            }
        };
        let (timer, over) = start_timer(PATIENCE);
        tokio::select! {
            () = all_ended => {}
            () = over.cancelled() => tracing::warn!("a callback of alerts blocks, and is left to itself"),
        }
        drop(timer);
    }
}

/// Something that is cancelled after a while, unless what it comes with is dropped: whoever shuts a fleet down may have
/// no runtime, or one without time.
fn start_timer(time: Duration) -> (mpsc::Sender<()>, CancellationToken) {
    let (timer, waits) = mpsc::channel();
    let over = CancellationToken::new();
    let is_over = over.clone();
    let thread = thread::Builder::new().name("heartbeat-timer".to_owned()).spawn(move || {
        if waits.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout) {
            is_over.cancel();
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread could be started to wait for alerts, so nobody waits");
        over.cancel();
    }
    (timer, over)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{HealthStatus, MemberId, WorkerHeartbeat};

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::FleetConfig;
    use crate::fleet::Fleet;
    use crate::registry::WorkerRegistry;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that stands still")]
    async fn what_is_not_told_some_time_after_the_end_is_not_told_at_all() {
        let fleet = Fleet::new(FleetConfig::default(), ManualClock::new(jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let hangs = Alerts::new().on_transition(|_| std::future::pending());
        let mut teller = Teller::new(&fleet.engine, None, hangs, Arc::default());
        let degraded = WorkerHeartbeat {
            health_status: Some(HealthStatus::Degraded),
            ..WorkerHeartbeat::new(MemberId::new("a").unwrap())
        };
        WorkerRegistry::new(&fleet).record(degraded).unwrap();
        fleet.engine.log.close();
        let closed = tokio::time::Instant::now();
        run(teller.tell_all(), fleet.engine.log.watch(), CancellationToken::new()).await;
        assert_eq!(closed.elapsed(), GRACE);
    }

    #[tokio::test]
    async fn a_thread_that_does_not_end_is_not_waited_for_for_ever() {
        let (_timer, over) = start_timer(Duration::from_millis(1));
        over.cancelled().await;
        let (timer, over) = start_timer(Duration::MAX);
        drop(timer);
        assert!(!over.is_cancelled());
    }
}
