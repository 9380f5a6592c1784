//! One run of the command, from its start to what is told of its end.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use daemon_lifecycle::{Notification, NotifySocket, Watchdog};
use heartbeat_contract::{Directive, WorkerHeartbeat};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Ready;
use super::end::{End, TooSoon};
use super::member::Member;
use super::outer::Outer;
use super::output::{Output, Plan, ReadyLine};
use super::pause::{Pause, leave_after_first_answer};
use super::request::{Request, looks_asked_for};
use super::signals::{Incoming, Signals};
use super::told::Told;
use crate::cli::args::RunArgs;
use crate::cli::signal::Signal;
use crate::cli::tell;
use crate::clock::monotonic;
use crate::journal::Causes;
use crate::{Directives, HeartbeatHandle, Outcome};

/// The contract's limit for `last_error`.
const MAX_ERROR_BYTES: usize = 1024;

/// How often the command is still listened to once it has ended, since others may go on telling.
const MAX_LAST_WORDS: usize = 1000;

/// How long, once the command has ended as by a request, that request is waited for: who ends a tree of processes one by
/// one, leaves first, sends it here later. A signal to the whole process group is never late: it is sent to all of it before
/// any of it can be found to have ended.
const LATE_SIGNAL: Duration = Duration::from_millis(100);

/// A run of which nobody has heard for three intervals, within these bounds, is worth a word to whoever started it.
const UNHEARD: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);

/// One run.
pub(super) struct Course<'a> {
    args: &'a RunArgs,
    heartbeat: Option<HeartbeatHandle<WorkerHeartbeat>>,
    directives: Option<Directives>,
    notify: Option<NotifySocket>,
    outer: Outer,
    output: Output,
    ready_line: Option<Arc<ReadyLine>>,
    told: Told,
    watchdog: Option<Watchdog>,
    pid: u32,
    began: Instant,
    asked: Request,
    /// Whether it is being ended since it missed its watchdog.
    missed_watchdog: bool,
    /// When to end it for good.
    kill_at: Option<Instant>,
    /// When to look whether anybody has heard of it.
    look_at: Option<Instant>,
}

impl<'a> Course<'a> {
    /// Begins to beat, and starts the command; one that cannot be started is told, too.
    pub(super) fn begin(args: &'a RunArgs, plan: Plan, member: &Member) -> io::Result<(Self, io::Result<Child>)> {
        let notify = NotifySocket::bind().inspect_err(|error| {
            tracing::error!(%error, "running the command without NOTIFY_SOCKET");
        });
        let notify = notify.ok();
        let ready_line = match &args.ready {
            Ready::Line(text) => Some(Arc::new(ReadyLine { text: text.clone(), seen: Arc::new(Notify::new()) })),
            _ => None,
        };
        let outer = Outer::of_this_process();
        let mut command = command(args, notify.as_ref(), outer.watchdog());
        let output = plan.connect(&mut command, usize::from(args.tail), ready_line.as_ref())?;
        let told = Told::new(&args.metadata);
        let heartbeat = member.begin(&told);
        let spawned = command.spawn();
        let began = monotonic();
        let mut course = Self {
            args,
            directives: heartbeat.as_ref().map(HeartbeatHandle::directives),
            heartbeat,
            notify,
            outer,
            output,
            ready_line,
            told,
            watchdog: args.watchdog.map(Watchdog::new),
            pid: spawned.as_ref().ok().and_then(Child::id).unwrap_or(0),
            began,
            asked: Request::None,
            missed_watchdog: false,
            kill_at: None,
            look_at: Some(began + (3 * args.interval).clamp(*UNHEARD.start(), *UNHEARD.end())),
        };
        if spawned.is_ok() && args.ready == Ready::Start {
            course.ready();
        }
        Ok((course, spawned))
    }

    /// Stays with the command until it has ended.
    pub(super) async fn run(&mut self, mut child: Child, signals: &mut Signals) -> io::Result<End> {
        let status = loop {
            tokio::select! {
                biased;
                status = child.wait() => break status?,
                incoming = signals.next() => self.pass_on(incoming),
                message = hear(self.notify.as_ref()) => self.hear(message),
                () = line_seen(self.ready_line.as_deref()) => self.ready(),
                directive = asked(self.directives.as_mut()) => self.obey(directive),
                () = at(self.watchdog.as_ref().and_then(Watchdog::due)) => self.check_watchdog(),
                () = at(self.kill_at) => self.kill(),
                () = at(self.look_at) => self.tell_if_unheard(),
            }
        };
        let too_soon = TooSoon::after(monotonic() - self.began, self.args.min_runtime);
        // Nothing is passed on any more: the command's number may be another's by now.
        while let Some(Incoming { signal, .. }) = signals.arrived() {
            self.note(signal);
        }
        if self.asked.is_none() && looks_asked_for(status) {
            self.hear_late_signals(signals).await;
        }
        let asked = self.asked.explains(status, monotonic());
        let missed_watchdog = self.missed_watchdog && !asked;
        Ok(End::Ended { pid: self.pid, status, asked, missed_watchdog, too_soon })
    }

    /// Tells how it ended, where no other run follows.
    pub(super) async fn end(mut self, end: &End) {
        self.hear_the_rest().await;
        let Some(heartbeat) = self.heartbeat.take() else { return };
        match end.goodbye() {
            Some(reason) => leave_after_first_answer(heartbeat, reason).await,
            None => {
                self.tell_failure(&heartbeat, end);
                heartbeat.shutdown_as_exited(end.exit()).await;
            }
        }
    }

    /// Tells how it ended, unless that is passed over, where another run is to follow.
    pub(super) async fn pause(mut self, end: &End, is_passed_over: bool) -> Pause {
        self.hear_the_rest().await;
        let Some(heartbeat) = self.heartbeat.take() else { return Pause::after_goodbye() };
        if let Some(reason) = end.goodbye() {
            leave_after_first_answer(heartbeat, reason).await;
            return Pause::after_goodbye();
        }
        if is_passed_over {
            heartbeat.rest(None).await;
        } else {
            self.tell_failure(&heartbeat, end);
            heartbeat.rest(Some(end.exit())).await;
        }
        Pause::of(heartbeat)
    }

    fn tell_failure(&mut self, heartbeat: &HeartbeatHandle<WorkerHeartbeat>, end: &End) {
        self.told.failed(self.output.under(&end.to_string(), MAX_ERROR_BYTES));
        heartbeat.update(|worker| {
            self.told.fill(worker);
            // For registries that do not know exits.
            worker.health_status = Some(heartbeat_contract::HealthStatus::Unhealthy);
        });
    }

    fn pass_on(&mut self, Incoming { signal, is_from_terminal }: Incoming) {
        if !is_from_terminal {
            signal.send(self.pid);
        }
        self.note(signal);
    }

    fn note(&mut self, signal: Signal) {
        self.asked.note(signal, monotonic(), self.args.stop_grace);
    }

    async fn hear_late_signals(&mut self, signals: &mut Signals) {
        let heard = async {
            while self.asked.is_none() {
                let signal = signals.next().await.signal;
                self.note(signal);
            }
        };
        // If it runs out, nobody asked.
        tokio::time::timeout(LATE_SIGNAL, heard).await.ok();
    }

    fn hear(&mut self, message: io::Result<Notification>) {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "listening on NOTIFY_SOCKET no more");
                self.notify = None;
                return;
            }
        };
        self.outer.pass_on(&message);
        let was_ready = self.told.is_ready();
        for senseless in self.told.hear(&message) {
            tracing::info!(message = senseless, "ignored what the command told");
        }
        if let Some(watchdog) = &mut self.watchdog {
            let now = monotonic();
            if let Some(every) = message.watchdog_timeout().filter(|every| !every.is_zero()) {
                watchdog.change(every, now);
            }
            if message.watchdog() || (self.told.is_ready() && !was_ready) {
                watchdog.feed(now);
            }
        }
        if message.watchdog_trigger() {
            self.miss_watchdog("WATCHDOG=trigger");
        }
        self.tell();
    }

    /// What the command put out and told before it ended, and nobody has read yet.
    async fn hear_the_rest(&mut self) {
        // It is not to be ended for what it told: its number may be another's by now.
        self.watchdog = None;
        self.output.end().await;
        for _ in 0..MAX_LAST_WORDS {
            let told = self.notify.as_ref().and_then(|notify| notify.try_recv().transpose());
            let Some(message) = told else { return };
            self.hear(message);
        }
    }

    fn ready(&mut self) {
        if self.told.is_ready() {
            return;
        }
        self.told.ready();
        self.outer.ready();
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.feed(monotonic());
        }
        self.tell();
    }

    fn check_watchdog(&mut self) {
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.check(monotonic())) {
            self.miss_watchdog("no WATCHDOG=1 in time");
        }
    }

    fn miss_watchdog(&mut self, what: &str) {
        let Some(watchdog) = &mut self.watchdog else { return };
        watchdog.missed();
        self.told.missed_watchdog(format!("{what} ({:?})", watchdog.every()));
        if self.args.watchdog_kill && !self.missed_watchdog {
            self.missed_watchdog = true;
            Signal::ABRT.send(self.pid);
            self.kill_at = Some(monotonic() + self.args.stop_grace);
        }
        self.tell();
    }

    fn obey(&mut self, directive: Directive) {
        let signal = match directive {
            Directive::Drain => self.args.on_drain,
            Directive::Shutdown => self.args.on_shutdown,
            _ => None,
        };
        let Some(signal) = signal else {
            tracing::info!(%directive, "the registry asks for what no signal is set for");
            return;
        };
        signal.send(self.pid);
        if directive == Directive::Shutdown {
            self.asked = Request::ForGood;
            self.kill_at = Some(monotonic() + self.args.stop_grace);
        }
    }

    fn kill(&mut self) {
        Signal::KILL.send(self.pid);
        self.kill_at = None;
    }

    /// Once per run, and not where a registry has refused it, which is told at once.
    fn tell_if_unheard(&mut self) {
        self.look_at = None;
        let Some(heartbeat) = self.heartbeat.as_ref().filter(|heartbeat| heartbeat.counters().acknowledged == 0) else {
            return;
        };
        match heartbeat.outcomes().latest() {
            Outcome::Failed { error, .. } if !error.is_refused() => {
                tell(format_args!("no registry has heard of the command yet: {}", Causes(&error)));
            }
            Outcome::Pending => tell(format_args!("no registry has heard of the command yet: none has answered")),
            _ => {}
        }
    }

    /// Has the beats say the newest.
    fn tell(&self) {
        let Some(heartbeat) = &self.heartbeat else { return };
        heartbeat.update(|worker| self.told.fill(worker));
        if let Some((busy, done)) = self.told.progress() {
            let progress = heartbeat.progress();
            progress.advance_to(done);
            progress.busy(busy);
        }
    }
}

/// The command, with what it inherits: all, but for the socket and the watchdog that are this wrapper's.
fn command(args: &RunArgs, notify: Option<&NotifySocket>, outer_watchdog: Option<Duration>) -> Command {
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    if let Some(notify) = notify {
        command.env("NOTIFY_SOCKET", notify.path());
        if let Some(watchdog) = args.watchdog.into_iter().chain(outer_watchdog).min() {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
    }
    command
}

async fn hear(notify: Option<&NotifySocket>) -> io::Result<Notification> {
    match notify {
        Some(notify) => notify.recv().await,
        None => std::future::pending().await,
    }
}

async fn line_seen(line: Option<&ReadyLine>) {
    match line {
        Some(line) => line.seen.notified().await,
        None => std::future::pending().await,
    }
}

async fn asked(directives: Option<&mut Directives>) -> Directive {
    if let Some(directives) = directives
        && let Some(directive) = directives.next().await
    {
        return directive;
    }
    std::future::pending().await
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Args, Command};

    #[tokio::test]
    async fn what_a_command_told_right_before_its_end_counts_and_ends_nothing_any_more() {
        let words = ["heartbeat-sender", "run", "--registry", "http://127.0.0.1:1", "--id", "w", "--watchdog", "1h"];
        let words = words.into_iter().chain(["--watchdog-kill", "--", "true"]);
        let Command::Run(args) = Args::parse_from(words).command else { unreachable!("it is `run`") };
        let (mut course, child) = Course::begin(&args, Plan::None, &Member::of(&args).unwrap()).unwrap();
        child.unwrap().wait().await.unwrap();
        let others = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let place = course.notify.as_ref().unwrap().path();
        for message in ["X_HEARTBEAT_QUEUE_DEPTH=7", "WATCHDOG=trigger"] {
            others.send_to(message.as_bytes(), place).unwrap();
        }
        course.hear_the_rest().await;
        let mut worker = WorkerHeartbeat::new(heartbeat_contract::MemberId::new("w").unwrap());
        course.told.fill(&mut worker);
        assert_eq!((worker.queue_depth, worker.health_status, course.missed_watchdog), (Some(7), None, false));
        course.heartbeat.unwrap().stop().await;
    }
}
