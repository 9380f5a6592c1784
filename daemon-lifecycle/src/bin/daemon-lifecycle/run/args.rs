use std::{
    error::Error,
    ffi::OsString,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use daemon_lifecycle::{
    Daemon, DaemonCommand, FailedAttempt, HealthPoll, Liveness, Probe, RestartPolicy, Supervisor,
    program::{Output, duration},
};

use super::report::Report;
use crate::args::asked;

/// Run a command as a daemon: wait until it is ready, watch it, start it again when it ends, and stop all of it.
///
/// INT, QUIT and TERM stop it, and a second one kills it; HUP, USR1 and USR2 are passed on. Its standard input is empty.
/// What it writes is passed on line by line, and waits for whoever reads it; all else goes on. What happens is told on
/// standard error, or with --output json or jsonl, which are the same here, on standard output, one object per line.
///
/// Started by systemd as Type=notify, it tells how its command fares: READY=1 once that is ready, STATUS=.., STOPPING=1, more
/// time for the first start to take, and WATCHDOG=1 if it is to.
///
/// Exit codes, of the last run where it is started again: its own, or 128 and the signal that ended it or this; 1 not
/// healthy any more, or whether it is ready cannot be found out, or the pid file is held, 2 usage, 3 it ended before it was
/// ready, 124 not ready in time, 125 this program cannot go on, 126 it cannot be run, 127 it is not found. With --restart
/// never, the first run is the last; else what fails is started again until it is given up. Durations are numbers with a
/// unit: 500ms, 1.5s, 2m, 1h30m.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// It is ready once this is healthy: what `wait` can wait for, exec:COMMAND too; a URL without a path means /health.
    /// Other than `wait`, this waits out a 404, too
    #[arg(long, env = "HEARTBEAT_SUPERVISE_READY_URL", value_name = "URL", group = "ready")]
    ready_url: Option<String>,
    /// It is ready once it writes a line that contains this
    #[arg(long, env = "HEARTBEAT_SUPERVISE_READY_LINE", value_name = "TEXT", group = "ready")]
    ready_line: Option<String>,
    /// It is ready once it says READY=1 at the socket in NOTIFY_SOCKET, as to systemd
    #[arg(long, env = "HEARTBEAT_SUPERVISE_READY_NOTIFY", group = "ready", value_parser = BoolishValueParser::new())]
    ready_notify: bool,
    /// The longest to wait until it is ready
    #[arg(long, env = "HEARTBEAT_SUPERVISE_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration::parse_some)]
    timeout: Duration,
    /// While --ready-url tells of growing progress, wait on until it has stood still for so long
    #[arg(long, env = "HEARTBEAT_SUPERVISE_STALL_TIMEOUT", value_name = "DURATION", requires = "ready_url", value_parser = duration::parse_some)]
    stall_timeout: Option<Duration>,
    /// Healthy answers of --ready-url in a row that it takes [default: 1]
    #[arg(long, env = "HEARTBEAT_SUPERVISE_SUCCESS_THRESHOLD", value_name = "N", requires = "ready_url", value_parser = clap::value_parser!(u32).range(1..))]
    success_threshold: Option<u32>,
    /// How long --ready-url has to be healthy without interruption [default: 0s]
    #[arg(long, env = "HEARTBEAT_SUPERVISE_MIN_UPTIME", value_name = "DURATION", requires = "ready_url", value_parser = duration::parse)]
    min_uptime: Option<Duration>,
    /// Take no other answer at --ready-url than one of the command or of its process group, by the pid in it
    #[arg(long, env = "HEARTBEAT_SUPERVISE_EXPECT_CHILD", requires = "ready_url", value_parser = BoolishValueParser::new())]
    expect_child: bool,
    /// Trust the authorities in this PEM file over https, and nobody else
    #[cfg(feature = "rustls")]
    #[arg(long, env = "HEARTBEAT_SUPERVISE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Once ready, start it again when this fails; whatever --ready-url may be
    #[arg(long, env = "HEARTBEAT_SUPERVISE_LIVENESS_URL", value_name = "URL")]
    liveness_url: Option<String>,
    /// The pause between two questions of --liveness-url
    #[arg(long, env = "HEARTBEAT_SUPERVISE_LIVENESS_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = duration::parse_some)]
    liveness_interval: Duration,
    /// How often in a row --liveness-url may fail, the last time included
    #[arg(long, env = "HEARTBEAT_SUPERVISE_LIVENESS_FAILURES", value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    liveness_failures: u32,
    /// Once ready, start it again when it says no WATCHDOG=1 for so long at the socket in NOTIFY_SOCKET, as to systemd
    #[arg(long, env = "HEARTBEAT_SUPERVISE_WATCHDOG", value_name = "DURATION", value_parser = duration::parse_some)]
    watchdog: Option<Duration>,
    /// After which ends to start it again, unless it was started 5 times within 10 s
    #[arg(long, env = "HEARTBEAT_SUPERVISE_RESTART", value_enum, default_value_t = Restart::OnFailure)]
    restart: Restart,
    /// The pause before the first restart; it doubles with each, and begins anew after 60s of being ready
    #[arg(long, env = "HEARTBEAT_SUPERVISE_RESTART_DELAY", value_name = "DURATION", default_value = "100ms", value_parser = duration::parse)]
    restart_delay: Duration,
    /// The longest pause before a restart
    #[arg(long, env = "HEARTBEAT_SUPERVISE_RESTART_MAX_DELAY", value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    restart_max_delay: Duration,
    /// Give up after so many restarts in a row without 60s of being ready [default: no limit]
    #[arg(long, env = "HEARTBEAT_SUPERVISE_RESTART_LIMIT", value_name = "N")]
    restart_limit: Option<u32>,
    /// How long it may take to end before it is killed
    #[arg(long, env = "HEARTBEAT_SUPERVISE_STOP_GRACE", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub(crate) stop_grace: Duration,
    /// Hold this file while running, and refuse to run if another does
    #[arg(long, env = "HEARTBEAT_SUPERVISE_PID_FILE", value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// End whoever holds the pid file, and the daemon that was left behind there
    #[arg(long, env = "HEARTBEAT_SUPERVISE_REPLACE", requires = "pid_file", value_parser = BoolishValueParser::new())]
    pub(crate) replace: bool,
    /// Append what it writes to this file too
    #[arg(long, env = "HEARTBEAT_SUPERVISE_LOG_FILE", value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Kill it when this program is killed (Linux)
    #[arg(long, env = "HEARTBEAT_SUPERVISE_DIE_WITH_PARENT", value_parser = BoolishValueParser::new())]
    die_with_parent: bool,
    /// How to tell what happens
    #[arg(long, env = "HEARTBEAT_SUPERVISE_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// What to run
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Restart {
    Never,
    OnFailure,
    Always,
}

impl Run {
    /// What there is to supervise, and how.
    pub(crate) fn supervisor(&self, report: &Report) -> Result<Supervisor, Box<dyn Error>> {
        if self.restart_delay > self.restart_max_delay {
            return Err("--restart-delay is longer than --restart-max-delay".into());
        }
        let mut supervisor = Supervisor::new(self.daemon(report.clone()))
            .restart(match self.restart {
                Restart::Never => RestartPolicy::Never,
                Restart::OnFailure => RestartPolicy::OnFailure,
                Restart::Always => RestartPolicy::Always,
            })
            .backoff(self.restart_delay, self.restart_max_delay)
            .restart_limit(self.restart_limit)
            .start_timeout(self.timeout)
            .stop_grace(self.stop_grace);
        if let Some(url) = &self.ready_url {
            supervisor = supervisor.ready_when_healthy(self.poll(url, report)?);
        }
        if let Some(text) = self.ready_line.clone() {
            supervisor = supervisor.ready_on_line(move |line| line.text.contains(&text));
        }
        if self.ready_notify {
            supervisor = supervisor.ready_when_notified();
        }
        if let Some(url) = &self.liveness_url {
            let probe = self.probe(url)?;
            let (pause, failures) = (self.liveness_interval, self.liveness_failures);
            supervisor = supervisor.liveness(Liveness { pause, failures, ..Liveness::new(probe) });
        }
        if let Some(every) = self.watchdog {
            supervisor = supervisor.watchdog(every);
        }
        Ok(supervisor)
    }

    fn poll(&self, url: &str, report: &Report) -> Result<HealthPoll, Box<dyn Error>> {
        let mut poll = HealthPoll::from(self.probe(url)?)
            .max_attempts(u32::MAX)
            .success_threshold(self.success_threshold.unwrap_or(1))
            .min_uptime(self.min_uptime.unwrap_or_default())
            // To start it again would mend nothing, and one that is slow to have its routes has its time.
            .wrong_endpoint_timeout(None)
            .on_failed_attempt(tell_changes(report.clone()));
        if let Some(stall_timeout) = self.stall_timeout {
            poll = poll.stall_timeout(stall_timeout);
        }
        if self.expect_child {
            if !url.starts_with("http") {
                return Err(format!("--expect-child: no answer of `{url}` tells a pid").into());
            }
            poll = poll.expect_child();
        }
        Ok(poll)
    }

    fn probe(&self, url: &str) -> Result<Probe, Box<dyn Error>> {
        let probe = asked(url)?;
        #[cfg(feature = "rustls")]
        if let Some(file) = &self.ca_file {
            return Ok(probe.tls(daemon_lifecycle::Tls::trusting_file(file)?));
        }
        Ok(probe)
    }

    fn daemon(&self, report: Report) -> impl FnMut() -> DaemonCommand + Send + 'static {
        let words = self.command.clone();
        let (log_file, die_with_parent) = (self.log_file.clone(), self.die_with_parent);
        move || {
            let (program, args) = words.split_first().expect("clap requires a command");
            let mut daemon = Daemon::command(program).args(args).on_line(report.next_run());
            if let Some(path) = &log_file {
                daemon = daemon.log_file(path);
            }
            if die_with_parent { daemon.die_with_parent() } else { daemon }
        }
    }
}

/// A line whenever the daemon fails to be ready in a way it did not the time before.
fn tell_changes(report: Report) -> impl Fn(&FailedAttempt<'_>) + Send + Sync + 'static {
    let before = Mutex::new(None);
    move |attempt| {
        let kind = Some(attempt.error.kind());
        let before = std::mem::replace(&mut *before.lock().unwrap_or_else(PoisonError::into_inner), kind);
        if before != kind {
            report.waiting(attempt.error);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Output, Report};
    use crate::args::{Args, Command};

    #[test]
    fn a_daemon_without_routes_yet_has_all_of_its_time() {
        let url = "http://127.0.0.1:9";
        let args = Args::try_parse_from(["daemon-lifecycle", "run", "--ready-url", url, "--", "true"]);
        let Command::Run(run) = args.expect("flags that make sense").command else { panic!("no run") };
        let poll = run.poll(url, &Report::new(Output::Table).expect("threads")).expect("a poll");
        assert!(format!("{poll:?}").contains("wrong_endpoint_timeout: None"), "{poll:?}");
    }
}
