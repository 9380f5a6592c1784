//! Starting a daemon again when it ends.

mod driver;
mod event;
mod liveness;
mod outward;
mod readiness;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use self::{
    driver::{Driver, Order},
    readiness::Readiness,
};
pub use self::{
    event::{EndCause, RunEnd, SupervisionEnd, SupervisorEvent},
    liveness::Liveness,
    readiness::NotReady,
};
use crate::{DaemonCommand, HealthPoll, Notifier, OutputLine, PidFile, RestartPolicy, Restarts, Signal, StartLimit};

/// How many orders may wait to be obeyed.
const MAX_ORDERS: usize = 16;

type Hook = Box<dyn FnMut(&SupervisorEvent) + Send>;

/// Keeps a daemon running: starts it, waits until it is ready, and when it ends, starts it again or not.
///
/// | setting | default |
/// |---|---|
/// | [`restart`](Self::restart) | after failures |
/// | [`backoff`](Self::backoff) | pauses of 100 ms, 200 ms, 400 ms .. up to 30 s, a tenth either way left to chance |
/// | [`stable_after`](Self::stable_after) | 60 s of being ready make the next pause short again |
/// | [`start_limit`](Self::start_limit) | 5 starts in 10 s are a crash loop, which is given up |
/// | [`restart_limit`](Self::restart_limit) | any number in a row, as far as the start limit allows |
/// | [`start_timeout`](Self::start_timeout) | 60 s |
/// | [`liveness`](Self::liveness), [`watchdog`](Self::watchdog) | nothing is expected of one that is up |
/// | [`stop_grace`](Self::stop_grace) | 10 s |
///
/// A run that is over leaves nothing behind before the next begins, and nothing that was known of it counts for the
/// next: each has to become ready, and fail its liveness probes, anew.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use daemon_lifecycle::{Daemon, RestartPolicy, SupervisionEnd, Supervisor};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let supervision = Supervisor::new(|| Daemon::command("sh").args(["-c", "echo up; exec sleep 600"]))
///     .restart(RestartPolicy::Always)
///     .ready_on_line(|line| line.text == "up")
///     .on_event(|event| eprintln!("{event}"))
///     .spawn();
/// supervision.until_ready().await;
/// let end = supervision.stop().await;
/// assert!(matches!(*end, SupervisionEnd::Stopped(_)));
/// # });
/// ```
#[must_use = "nothing is started until `spawn`"]
pub struct Supervisor {
    command: Box<dyn FnMut() -> DaemonCommand + Send>,
    readiness: Readiness,
    start_timeout: Duration,
    liveness: Option<Liveness>,
    watchdog: Option<Duration>,
    restarts: Restarts,
    stop_grace: Duration,
    pid_file: Option<PidFile>,
    notifier: Option<Notifier>,
    on_event: Option<Hook>,
}

impl Supervisor {
    /// Of the daemon that `command` makes, which is asked for each run.
    pub fn new(command: impl FnMut() -> DaemonCommand + Send + 'static) -> Self {
        Self {
            command: Box::new(command),
            readiness: Readiness::Started,
            start_timeout: Duration::from_secs(60),
            liveness: None,
            watchdog: None,
            restarts: Restarts::new(RestartPolicy::default()),
            stop_grace: Duration::from_secs(10),
            pid_file: None,
            notifier: None,
            on_event: None,
        }
    }

    /// A run is ready once it answers. The deadline of `poll` gives way to [`start_timeout`](Self::start_timeout); where
    /// `poll` gives up before, by its attempts or its [`wrong_endpoint_timeout`](HealthPoll::wrong_endpoint_timeout), the
    /// run has failed, and another follows.
    pub fn ready_when_healthy(self, poll: HealthPoll) -> Self {
        Self { readiness: Readiness::Healthy(Box::new(poll)), ..self }
    }

    /// A run is ready once it writes a line that `is_it` accepts.
    pub fn ready_on_line(self, is_it: impl Fn(&OutputLine) -> bool + Send + Sync + 'static) -> Self {
        Self { readiness: Readiness::Line(Arc::new(is_it)), ..self }
    }

    /// A run is ready once it says `READY=1` at a socket that it is given, as it would to systemd.
    pub fn ready_when_notified(self) -> Self {
        Self { readiness: Readiness::Notified, ..self }
    }

    /// A run that takes longer to be ready has failed.
    pub fn start_timeout(self, timeout: Duration) -> Self {
        Self { start_timeout: timeout, ..self }
    }

    /// A run that was ready and fails this has failed.
    pub fn liveness(self, liveness: Liveness) -> Self {
        Self { liveness: Some(liveness), ..self }
    }

    /// A run that was ready, and then says no `WATCHDOG=1` for so long, has failed; it is told by `WATCHDOG_USEC` and
    /// `NOTIFY_SOCKET` in its environment, as systemd would, and should say so twice as often. It has failed too, whenever
    /// that is, if it says `WATCHDOG=trigger`. By `WATCHDOG_USEC=` it chooses another time. Above zero.
    pub fn watchdog(self, every: Duration) -> Self {
        Self { watchdog: Some(every), ..self }
    }

    /// After which ends another run follows.
    pub fn restart(self, policy: RestartPolicy) -> Self {
        Self { restarts: self.restarts.policy(policy), ..self }
    }

    /// The pause before the next run is `initial` first and twice as long each time, but never longer than `max`.
    pub fn backoff(self, initial: Duration, max: Duration) -> Self {
        Self { restarts: self.restarts.backoff(initial, max), ..self }
    }

    /// Once a run has been ready for so long, the pause after it is short again, and no restart before it counts for the
    /// [`restart_limit`](Self::restart_limit).
    pub fn stable_after(self, uptime: Duration) -> Self {
        Self { restarts: self.restarts.stable_after(uptime), ..self }
    }

    /// How many starts in how short a time are a crash loop, if any.
    pub fn start_limit(self, limit: impl Into<Option<StartLimit>>) -> Self {
        Self { restarts: self.restarts.start_limit(limit), ..self }
    }

    /// How many restarts in a row, without a run that was stable, are a crash loop too, if any.
    pub fn restart_limit(self, limit: impl Into<Option<u32>>) -> Self {
        Self { restarts: self.restarts.restart_limit(limit), ..self }
    }

    /// How long a run may take to end before it is killed.
    pub fn stop_grace(self, grace: Duration) -> Self {
        Self { stop_grace: grace, ..self }
    }

    /// Records each run in a pid file, and holds that until the end.
    pub fn pid_file(self, pid_file: PidFile) -> Self {
        Self { pid_file: Some(pid_file), ..self }
    }

    /// Tells whoever started this process how the daemon fares, as systemd wants it of a service of `Type=notify`:
    /// `READY=1` once a run is ready, `STATUS=` when anything changes, `STOPPING=1` when nothing more follows. While the first
    /// run starts, every 15 s `EXTEND_TIMEOUT_USEC=` for 30 s. And `WATCHDOG=1` at half the time that may
    /// [pass](Notifier::watchdog), from the task that supervises, so that none is said for a supervision that is stuck.
    pub fn notifier(self, notifier: Notifier) -> Self {
        Self { notifier: Some(notifier), ..self }
    }

    /// Calls `hook` with all that happens, in order, from the task that supervises. It must not block, as writing to a
    /// standard stream may: nothing is supervised meanwhile.
    pub fn on_event(self, hook: impl FnMut(&SupervisorEvent) + Send + 'static) -> Self {
        Self { on_event: Some(Box::new(hook)), ..self }
    }

    /// Begins, on a task of the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn spawn(self) -> Supervision {
        let (orders, received) = mpsc::channel(MAX_ORDERS);
        let begin = SupervisorState { run: 0, pid: None, phase: SupervisorPhase::Waiting };
        let (teller, state) = watch::channel(begin);
        let mut task = JoinSet::new();
        task.spawn(Driver::new(self, received, teller).run());
        Supervision { orders, state, task }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("readiness", &self.readiness)
            .field("liveness", &self.liveness)
            .field("watchdog", &self.watchdog)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}

/// Where a supervised daemon is in its life.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SupervisorState {
    /// The run, counted from 1; 0 before the first.
    pub run: u32,
    /// Its process, if there is one.
    pub pid: Option<u32>,
    /// What it does.
    pub phase: SupervisorPhase,
}

/// What a supervised daemon does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SupervisorPhase {
    /// It is not ready yet.
    Starting,
    /// It is ready.
    Ready,
    /// It is being stopped.
    Stopping,
    /// Nothing runs, and the next run follows after a pause.
    Waiting,
    /// Nothing runs, and nothing follows.
    Over(Arc<SupervisionEnd>),
}

/// A daemon that is supervised.
///
/// Dropped, it ends the supervision and kills the daemon's process group, without grace and without waiting.
#[derive(Debug)]
#[must_use = "a dropped supervision kills its daemon"]
pub struct Supervision {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<SupervisorState>,
    task: JoinSet<()>,
}

impl Supervision {
    /// How it is now.
    #[must_use]
    pub fn state(&self) -> SupervisorState {
        self.state.borrow().clone()
    }

    /// Waits until a run is ready; says whether that came before the end.
    ///
    /// # Panics
    ///
    /// If a callback has panicked, which ends the supervision and kills the daemon.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn until_ready(&self) -> bool {
        let state = self.reaches(|phase| matches!(phase, SupervisorPhase::Ready | SupervisorPhase::Over(_))).await;
        matches!(state.phase, SupervisorPhase::Ready)
    }

    /// Waits until nothing runs and nothing follows.
    ///
    /// # Panics
    ///
    /// If a callback has panicked, which ends the supervision and kills the daemon.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn over(&self) -> Arc<SupervisionEnd> {
        match self.reaches(|phase| matches!(phase, SupervisorPhase::Over(_))).await.phase {
            SupervisorPhase::Over(end) => end,
            _ => unreachable!("it was waited for"),
        }
    }

    /// Sends a signal to the daemon's process, if one runs: not to its group.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent.
    pub async fn signal(&self, signal: Signal) {
        self.order(Order::Signal(signal)).await;
    }

    /// Stops a run, as [`stop`](Self::stop) does, and starts the next at once, whatever the policy. If the run is over
    /// already, nothing happens but that a pause after it is cut short: what made somebody give this order about an
    /// earlier run says nothing about the present one.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens.
    pub async fn restart(&self, run: u32, reason: impl Into<String>) {
        self.order(Order::Restart { run, reason: reason.into() }).await;
    }

    /// Stops it all: `SIGTERM`, and `SIGKILL` after the [grace](Supervisor::stop_grace).
    ///
    /// # Panics
    ///
    /// If a callback has panicked, which ends the supervision and kills the daemon.
    ///
    /// # Cancel safety
    ///
    /// Once begun, it goes on without the future.
    pub async fn stop(&self) -> Arc<SupervisionEnd> {
        self.order(Order::Stop).await;
        self.over().await
    }

    /// Ends it all without grace: sends `SIGKILL` to the daemon's process group, and does not wait for its end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the daemon all the same.
    pub async fn kill(mut self) {
        self.task.shutdown().await;
    }

    async fn order(&self, order: Order) {
        // Fails when it is all over, and then there is nothing to be done.
        self.orders.send(order).await.ok();
    }

    async fn reaches(&self, is_it: impl Fn(&SupervisorPhase) -> bool) -> SupervisorState {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| is_it(&state.phase)).await;
        reached.expect("no callback panics").clone()
    }
}
