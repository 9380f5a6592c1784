use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{
    Supervisor, SupervisorPhase, SupervisorState,
    event::{EndCause, RunEnd, SupervisionEnd, SupervisorEvent},
    outward::{News, Outward},
};
use crate::{Daemon, DaemonCommand, DaemonError, Ending, MissedWatchdog, NextRun, Signal, clock, clock::Stopwatch};

/// What whoever holds the handle wants.
#[derive(Debug)]
pub(super) enum Order {
    Signal(Signal),
    Restart { run: u32, reason: String },
    Stop,
}

/// One run after the other.
pub(super) struct Driver {
    supervisor: Supervisor,
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<SupervisorState>,
    news: watch::Sender<News>,
    since: Stopwatch,
    run: u32,
}

impl Driver {
    pub(super) fn new(
        supervisor: Supervisor,
        orders: mpsc::Receiver<Order>,
        state: watch::Sender<SupervisorState>,
    ) -> Self {
        Self { supervisor, orders, state, news: watch::Sender::default(), since: Stopwatch::start(), run: 0 }
    }

    pub(super) async fn run(mut self) {
        let mut outward = self.supervisor.notifier.take().map(|told| Outward::new(told, self.news.subscribe()));
        let end = tokio::select! {
            biased;
            end = self.until_over() => end.unwrap_or_else(SupervisionEnd::Failed),
            never = telling(outward.as_mut()) => match never {},
        };
        self.news.send_modify(|news| news.end(&end));
        if let Some(outward) = &mut outward {
            outward.tell(clock::now());
        }
        let (run, state) = (self.run, self.state.clone());
        // The pid file is given up before anyone hears of the end.
        drop(self);
        state.send_replace(SupervisorState { run, pid: None, phase: SupervisorPhase::Over(Arc::new(end)) });
    }

    async fn until_over(&mut self) -> Result<SupervisionEnd, DaemonError> {
        loop {
            self.run += 1;
            let end = Arc::new(self.one_run().await?);
            self.tell(&SupervisorEvent::Ended(Arc::clone(&end)));
            if matches!(end.cause, EndCause::Stopped) {
                return Ok(SupervisionEnd::Stopped(end));
            }
            let after = match self.supervisor.restarts.ended(ending(&end), end.ready_for, self.since.elapsed()) {
                NextRun::After(after) => after,
                NextRun::Over => return Ok(SupervisionEnd::Over(end)),
                NextRun::GivenUp(what) => return Ok(SupervisionEnd::CrashLoop { what, last: end }),
            };
            self.enter(SupervisorPhase::Waiting, None);
            self.tell(&SupervisorEvent::Restarting { run: self.run + 1, after });
            if self.pause(after).await {
                return Ok(SupervisionEnd::Stopped(end));
            }
        }
    }

    async fn one_run(&mut self) -> Result<RunEnd, DaemonError> {
        self.supervisor.restarts.started(self.since.elapsed());
        let mut daemon = match self.command().spawn() {
            Ok(daemon) => daemon,
            // Nothing suggests that the second start would succeed where the first could not.
            Err(error) if self.run == 1 => return Err(error),
            Err(error) => return Ok(self.not_started(error)),
        };
        let started = self.since.elapsed();
        self.started(&daemon)?;
        let (cause, ready_for) = match self.until_ready(&mut daemon).await {
            Err(cause) => (cause, Duration::ZERO),
            Ok(()) => {
                let ready = self.since.elapsed();
                self.enter(SupervisorPhase::Ready, Some(daemon.pid()));
                self.tell(&SupervisorEvent::Ready { run: self.run, after: ready.saturating_sub(started) });
                (self.while_up(&mut daemon).await?, self.since.elapsed().saturating_sub(ready))
            }
        };
        self.clear_away(daemon, cause, ready_for).await
    }

    fn command(&mut self) -> DaemonCommand {
        let command = self.supervisor.readiness.prepare((self.supervisor.command)());
        match self.supervisor.watchdog {
            Some(every) => command.notify_socket().env("WATCHDOG_USEC", every.as_micros().to_string()),
            None => command,
        }
    }

    fn started(&mut self, daemon: &Daemon) -> Result<(), DaemonError> {
        if let Some(pid_file) = &mut self.supervisor.pid_file {
            let recorded = pid_file.record(daemon);
            recorded.map_err(|source| DaemonError::PidFile { path: pid_file.path().to_owned(), source })?;
        }
        self.enter(SupervisorPhase::Starting, Some(daemon.pid()));
        self.tell(&SupervisorEvent::Started { run: self.run, pid: daemon.pid() });
        Ok(())
    }

    async fn until_ready(&mut self, daemon: &mut Daemon) -> Result<(), EndCause> {
        let since = Stopwatch::start();
        let missed = missed(self.supervisor.watchdog, daemon);
        tokio::pin!(missed);
        loop {
            let left = self.supervisor.start_timeout.saturating_sub(since.elapsed());
            let order = tokio::select! {
                biased;
                order = self.orders.recv() => order,
                missed = &mut missed => return Err(EndCause::Watchdog(missed)),
                ready = self.supervisor.readiness.wait(daemon, left) => return ready.map_err(EndCause::NotReady),
            };
            if let Some(cause) = obey(order, self.run, daemon) {
                return Err(cause);
            }
        }
    }

    async fn while_up(&mut self, daemon: &mut Daemon) -> Result<EndCause, DaemonError> {
        let liveness = &self.supervisor.liveness;
        let lost = async {
            match liveness {
                Some(liveness) => liveness.lost().await,
                None => std::future::pending().await,
            }
        };
        if let Some(every) = self.supervisor.watchdog {
            daemon.watch(every);
        }
        let missed = missed(self.supervisor.watchdog, daemon);
        tokio::pin!(lost, missed);
        loop {
            let order = tokio::select! {
                biased;
                order = self.orders.recv() => order,
                ended = daemon.wait() => return ended.map(|_| EndCause::Exited),
                missed = &mut missed => return Ok(EndCause::Watchdog(missed)),
                error = &mut lost => return Ok(EndCause::Unhealthy(error)),
            };
            if let Some(cause) = obey(order, self.run, daemon) {
                return Ok(cause);
            }
        }
    }

    /// Stops what is left of a run, be it by itself or not.
    async fn clear_away(
        &mut self,
        mut daemon: Daemon,
        cause: EndCause,
        ready_for: Duration,
    ) -> Result<RunEnd, DaemonError> {
        self.enter(SupervisorPhase::Stopping, Some(daemon.pid()));
        if matches!(cause, EndCause::Stopped) {
            self.news.send_modify(News::stop);
        }
        if daemon.try_exit_status()?.is_none() {
            self.tell(&SupervisorEvent::Stopping { run: self.run, why: cause.to_string() });
        }
        let stopped = daemon.stop(self.supervisor.stop_grace).await?;
        Ok(RunEnd {
            run: self.run,
            cause,
            status: Some(stopped.status),
            forced: stopped.forced,
            ready_for,
            last_lines: stopped.last_lines,
        })
    }

    fn not_started(&self, error: DaemonError) -> RunEnd {
        let cause = EndCause::NotStarted(error);
        RunEnd { run: self.run, cause, status: None, forced: false, ready_for: Duration::ZERO, last_lines: Vec::new() }
    }

    /// Whether it was cut short by an order to stop. An order to restart cuts it short too.
    async fn pause(&mut self, length: Duration) -> bool {
        let over = tokio::time::sleep(length);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Restart { run, .. }) if run == self.run => return false,
                    Some(Order::Signal(_) | Order::Restart { .. }) => {}
                    Some(Order::Stop) | None => return true,
                },
                () = &mut over => return false,
            }
        }
    }

    fn enter(&self, phase: SupervisorPhase, pid: Option<u32>) {
        self.state.send_replace(SupervisorState { run: self.run, pid, phase });
    }

    fn tell(&mut self, event: &SupervisorEvent) {
        self.news.send_modify(|news| news.hear(event));
        if let Some(hook) = &mut self.supervisor.on_event {
            hook(event);
        }
    }
}

async fn telling(outward: Option<&mut Outward>) -> Infallible {
    match outward {
        Some(outward) => outward.go_on().await,
        None => std::future::pending().await,
    }
}

/// Waits until the daemon has missed its watchdog; without end, where it has none.
fn missed(watchdog: Option<Duration>, daemon: &Daemon) -> impl Future<Output = MissedWatchdog> + use<> {
    let missed = watchdog.map(|_| daemon.missed_watchdog());
    async {
        match missed {
            Some(missed) => missed.await,
            None => std::future::pending().await,
        }
    }
}

/// Why the run is to end, if so.
fn obey(order: Option<Order>, this_run: u32, daemon: &Daemon) -> Option<EndCause> {
    match order {
        Some(Order::Signal(signal)) => {
            // Its likeliest failure is the end of the daemon, which is about to be noticed.
            daemon.signal(signal).ok();
            None
        }
        Some(Order::Restart { run, reason }) => (run == this_run).then_some(EndCause::Ordered(reason)),
        // Nobody is left to give orders.
        Some(Order::Stop) | None => Some(EndCause::Stopped),
    }
}

fn ending(end: &RunEnd) -> Ending {
    match end.cause {
        EndCause::Ordered(_) => Ending::Ordered,
        EndCause::Exited if end.status.is_some_and(|status| status.success()) => Ending::Clean,
        _ => Ending::Failure,
    }
}
