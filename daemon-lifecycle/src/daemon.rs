//! A child process that is watched while it starts and stopped as a whole.

mod command;
mod error;
mod group;
mod guard;
mod lines;
mod log_file;
mod members;
mod output;
mod signal;
mod told;

use std::{process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

pub use self::{
    command::DaemonCommand,
    error::{DaemonError, LineError, NotifyError},
    output::{OutputLine, OutputStream},
    signal::Signal,
    told::MissedWatchdog,
};
pub(crate) use self::{error::Tail, group::signallable, members::anyone_runs};
use self::{
    group::Group,
    log_file::{LogFile, LogStream},
    output::{LineHook, Output, drain},
    told::{Patience, Told, listen},
};
use crate::{
    clock::Stopwatch,
    notify::NotifySocket,
    poll::{GaveUp, HealthPoll, Healthy, PollError, Wait},
    probe::ExpectedPid,
};

/// How long the pipes of a dead child are still read: a process it left behind may hold them open for ever.
const PIPE_GRACE: Duration = Duration::from_secs(1);
/// How long a killed process may take to go.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// A running child process in a process group of its own.
///
/// Its output is read all the time, so that it never blocks on a full pipe; the last 100 lines of at most 4 KiB each
/// are kept. Signals that a terminal sends to this process (Ctrl-C) do not reach the group: whoever starts a daemon
/// has to [`stop`](Self::stop) it.
///
/// Dropping a `Daemon` is the last resort: it sends `SIGKILL` to the whole group, without grace and without waiting.
/// A process that has left the group, by `setsid` for instance, is out of reach for drop and stop alike; and if this
/// process itself is killed, the daemon stays, unless it was to
/// [die with its parent](DaemonCommand::die_with_parent).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use daemon_lifecycle::{Daemon, HealthPoll};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut registry = Daemon::command("heartbeat-registry")
///     .args(["serve", "--listen", "127.0.0.1:0"])
///     .spawn()?;
/// let second = Duration::from_secs(1);
/// let url = registry
///     .wait_for_line(|line| line.text.strip_prefix("listening on ").map(str::to_owned), 10 * second)
///     .await?;
/// registry.wait_until_healthy(HealthPoll::new(url).deadline(30 * second)).await?;
/// // ...
/// registry.stop(10 * second).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a dropped daemon is killed"]
pub struct Daemon {
    group: Group,
    output: Arc<Output>,
    readers: JoinSet<()>,
    logged: Option<oneshot::Receiver<()>>,
    told: Option<watch::Receiver<Told>>,
    watched: watch::Sender<Option<Duration>>,
    listener: JoinSet<()>,
}

impl Daemon {
    fn attach(mut group: Group, hook: Option<LineHook>, log: Option<(LogFile, oneshot::Receiver<()>)>) -> Self {
        let output = Output::new(hook);
        let (log, logged) = log.unzip();
        let stream = || log.clone().map(LogStream::new);
        let mut readers = JoinSet::new();
        let (stdout, stderr) = group.take_output();
        if let Some(pipe) = stdout {
            readers.spawn(drain(pipe, OutputStream::Stdout, Arc::clone(&output), stream()));
        }
        if let Some(pipe) = stderr {
            readers.spawn(drain(pipe, OutputStream::Stderr, Arc::clone(&output), stream()));
        }
        Self { group, output, readers, logged, told: None, watched: watch::Sender::new(None), listener: JoinSet::new() }
    }

    fn listen_at(&mut self, socket: NotifySocket) {
        let (teller, told) = watch::channel(Told::default());
        self.listener.spawn(listen(socket, teller, self.watched.subscribe()));
        self.told = Some(told);
    }

    /// The process id of the child.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.group.pid()
    }

    /// The number of its process group: its own process id, unless it is to
    /// [die with its parent](DaemonCommand::die_with_parent).
    #[must_use]
    pub fn process_group(&self) -> u32 {
        self.group.number()
    }

    /// What the daemon last said of itself by `STATUS=`, where it was given a
    /// [socket](DaemonCommand::notify_socket) for that.
    #[must_use]
    pub fn told_status(&self) -> Option<String> {
        self.told.as_ref().and_then(|told| told.borrow().status.clone())
    }

    /// From now on, the daemon has to say `WATCHDOG=1` within each such time, or the one that it chooses itself.
    pub(crate) fn watch(&self, every: Duration) {
        self.watched.send_replace(Some(every));
    }

    /// Waits until it has missed its watchdog; without end, where it was given no socket.
    pub(crate) fn missed_watchdog(&self) -> impl Future<Output = MissedWatchdog> + Send + use<> {
        let told = self.told.clone();
        async move {
            if let Some(mut told) = told
                && let Ok(told) = told.wait_for(|told| told.missed.is_some()).await
                && let Some(missed) = told.missed
            {
                return missed;
            }
            std::future::pending().await
        }
    }

    /// What the daemon wrote last, oldest first: at most 100 lines.
    #[must_use]
    pub fn last_lines(&self) -> Vec<OutputLine> {
        self.output.last_lines()
    }

    /// How the child ended, or `None` while it runs.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Wait`].
    pub fn try_exit_status(&mut self) -> Result<Option<ExitStatus>, DaemonError> {
        self.group.try_wait()
    }

    /// Waits, without bound, for the child to end by itself. Other processes of its group may outlive it until
    /// [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// [`DaemonError::Wait`].
    ///
    /// # Cancel safety
    ///
    /// Safe: an exit that happens meanwhile is reported by the next call.
    pub async fn wait(&mut self) -> Result<ExitStatus, DaemonError> {
        self.group.wait().await
    }

    /// Sends a signal to the child alone.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Signal`], with `ESRCH` once the child is known to have ended.
    pub fn signal(&self, signal: Signal) -> Result<(), DaemonError> {
        self.group.signal_child(signal)
    }

    /// Sends a signal to every process of the group, the child included.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Signal`], with `ESRCH` when nobody is left.
    pub fn signal_group(&self, signal: Signal) -> Result<(), DaemonError> {
        self.group.signal(signal)
    }

    /// As [`poll_until_healthy`](crate::poll_until_healthy), and ends as soon as the child does, since nothing it was
    /// meant to answer will be answered any more.
    ///
    /// Whoever answers at the URL counts, unless [`HealthPoll::expect_child`] says that the child has to.
    ///
    /// # Errors
    ///
    /// [`PollError`], among them [`PollError::ChildExited`] with exit status and last lines. Whatever the error, the
    /// daemon is left as it is.
    ///
    /// # Cancel safety
    ///
    /// Safe: the daemon runs on, and an exit that happens meanwhile is reported by the next call.
    pub async fn wait_until_healthy(&mut self, poll: impl Into<HealthPoll>) -> Result<Healthy, PollError> {
        let mut wait = Wait::begin_for_child(poll.into(), ExpectedPid::Child(self.pid()))?;
        let status = match self.while_alive(wait.run()).await? {
            Ok(healthy) => return Ok(healthy),
            Err(CutShort::GaveUp(gave_up)) => return Err(wait.error(gave_up)),
            Err(CutShort::ChildExited(status)) => status,
        };
        let report = wait.into_report();
        self.read_to_the_end().await;
        let last_lines = self.last_lines();
        Err(PollError::ChildExited { status, last_lines, report })
    }

    /// Waits until the daemon has written a line of which `find` makes something, and returns that.
    ///
    /// The lines kept so far are looked at first, then every new one; `find` runs on the task that reads them and
    /// must not block or panic.
    ///
    /// # Errors
    ///
    /// [`LineError`] when no line was accepted within `timeout` or before the child ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: the daemon runs on, and its kept lines are looked at again by the next call.
    pub async fn wait_for_line<T: Send + 'static>(
        &mut self,
        find: impl FnMut(&OutputLine) -> Option<T> + Send + 'static,
        timeout: Duration,
    ) -> Result<T, LineError> {
        let mut found = self.output.watch(find);
        let status = tokio::select! {
            biased;
            Ok(value) = &mut found => return Ok(value),
            status = self.group.wait() => status?,
            () = tokio::time::sleep(timeout) => {
                let last_lines = self.last_lines();
                return Err(LineError::TimedOut { timeout, last_lines });
            }
        };
        // What it wrote just before its end may still be in the pipe.
        self.read_to_the_end().await;
        let last_lines = self.last_lines();
        found.try_recv().map_err(|_| LineError::ChildExited { status, last_lines })
    }

    /// Waits until the daemon has said `READY=1`, as it would to systemd.
    ///
    /// A daemon that says `EXTEND_TIMEOUT_USEC=` has that much time from then on, if it is more than it has left.
    /// Returns at once if it has been heard before.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] when it did not say so in time or before it ended, with its last `STATUS=` and lines.
    ///
    /// # Cancel safety
    ///
    /// Safe: the daemon runs on, and what it says meanwhile is known to the next call.
    pub async fn wait_until_notified(&mut self, timeout: Duration) -> Result<(), NotifyError> {
        let mut told = self.told.clone().ok_or(NotifyError::NoSocket)?;
        let since = Stopwatch::start();
        let mut patience = Patience::new(timeout);
        loop {
            let left = {
                let told = told.borrow_and_update();
                if told.ready && self.group.try_wait()?.is_none() {
                    return Ok(());
                }
                patience.left(&told, since.elapsed())
            };
            tokio::select! {
                biased;
                status = self.group.wait() => return Err(self.exited_unready(status?).await),
                Ok(()) = told.changed() => {}
                () = tokio::time::sleep(left) => {
                    let (told, last_lines) = (self.told_status(), self.last_lines());
                    return Err(NotifyError::TimedOut { waited: since.elapsed(), told, last_lines });
                }
            }
        }
    }

    /// Stops the whole group: `SIGTERM`, then `SIGKILL` for whoever is left after `grace`, and reaps the child.
    ///
    /// `grace` is for all members: a child that leaves its own children to finish is waited for with them. Frozen
    /// members are thawed to hear the first signal. Pipes that a process outside the group still holds are let go
    /// 1 s after the end. Also right for a daemon that has ended already: it removes what that one left behind.
    ///
    /// # Errors
    ///
    /// [`DaemonError`]; as always when a `Daemon` goes, `SIGKILL` has then been sent to the group.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the daemon, which means `SIGKILL` to the group.
    pub async fn stop(mut self, grace: Duration) -> Result<Stopped, DaemonError> {
        // A child that has ended unnoticed is reaped first: Darwin answers EPERM to a signal for a group of zombies.
        self.group.try_wait()?;
        self.group.signal_survivors(Signal::Terminate)?;
        self.group.signal_survivors(Signal::Continue)?;
        let graceful = tokio::time::timeout(grace, self.group.wait_until_empty()).await;
        let (status, forced) = match graceful {
            Ok(status) => (status?, false),
            Err(_) => (self.kill().await?, true),
        };
        self.group.dismiss_guard().await;
        self.read_to_the_end().await;
        let last_lines = self.last_lines();
        Ok(Stopped { status, forced, last_lines })
    }

    async fn exited_unready(&mut self, status: ExitStatus) -> NotifyError {
        self.read_to_the_end().await;
        NotifyError::ChildExited { status, told: self.told_status(), last_lines: self.last_lines() }
    }

    /// Waits no longer than the child lives. What succeeded, but after its end, was not its doing.
    async fn while_alive<T>(
        &mut self,
        wait: impl Future<Output = Result<T, GaveUp>>,
    ) -> Result<Result<T, CutShort>, DaemonError> {
        let ended = tokio::select! {
            biased;
            status = self.group.wait() => return Ok(Err(CutShort::ChildExited(status?))),
            ended = wait => ended,
        };
        let Ok(success) = ended else {
            return Ok(ended.map_err(CutShort::GaveUp));
        };
        Ok(match self.group.try_wait()? {
            None => Ok(success),
            Some(status) => Err(CutShort::ChildExited(status)),
        })
    }

    async fn kill(&mut self) -> Result<ExitStatus, DaemonError> {
        self.group.signal_survivors(Signal::Kill)?;
        let pid = self.pid();
        let gone = tokio::time::timeout(KILL_GRACE, self.group.wait_until_empty()).await;
        gone.unwrap_or(Err(DaemonError::StillAlive { pid, waited: KILL_GRACE }))
    }

    async fn read_to_the_end(&mut self) {
        let all_read = async {
            while self.readers.join_next().await.is_some() {}
            if let Some(logged) = &mut self.logged {
                // Comes with the end of the thread that writes, whatever that end was.
                logged.await.ok();
            }
            self.logged = None;
        };
        // Not in time means that someone else holds the pipes; what they write is not the daemon's last word.
        drop(tokio::time::timeout(PIPE_GRACE, all_read).await);
    }
}

/// Why a wait ended without success.
enum CutShort {
    GaveUp(GaveUp),
    ChildExited(ExitStatus),
}

/// A daemon that is no more.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stopped {
    /// How the child ended.
    pub status: ExitStatus,
    /// Whether anyone in the group had to be killed for not ending within the grace.
    pub forced: bool,
    /// What the daemon wrote last, oldest first.
    pub last_lines: Vec<OutputLine>,
}

#[cfg(test)]
mod tests;
