use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use daemon_lifecycle::{
    DaemonError, EndCause, LineError, NotReady, NotifyError, OutputLine, OutputStream, PollError, ProbeError, RunEnd,
    SupervisionEnd, SupervisorEvent,
    program::{
        Output,
        exit::{self, CHILD_ENDED, FAILED, SIGNAL, TIMEOUT, WRAPPER},
    },
};
use serde_json::{Value, json};

use super::writer::Writer;
use crate::report::millis;

/// How long the last words on a stream may take to be written. Whoever has stopped reading is not waited for longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Tells what happens, and passes on what the daemon writes.
#[derive(Clone)]
pub(crate) struct Report {
    output: Output,
    stdout: Writer,
    stderr: Writer,
}

impl Report {
    pub(crate) fn new(output: Output) -> io::Result<Self> {
        Ok(Self { output, stdout: Writer::to(io::stdout())?, stderr: Writer::to(io::stderr())? })
    }

    pub(crate) fn event(&self, event: &SupervisorEvent) {
        match self.output {
            Output::Table => self.stderr.tell(&event.to_string()),
            Output::Json | Output::Jsonl => self.stdout.tell(&json(event).to_string()),
        }
    }

    /// How the daemon is not ready yet.
    pub(crate) fn waiting(&self, error: &ProbeError) {
        self.stderr.tell(&format!("waiting: {error}"));
    }

    /// Passes on what the next run writes. Standard output is for what happens, where that is wanted as data.
    pub(crate) fn next_run(&self) -> impl Fn(&OutputLine) + Send + Sync + use<> {
        let (output, stdout, stderr) = (self.output, self.stdout.next_run(), self.stderr.next_run());
        move |line| match (output, line.stream) {
            (Output::Table, OutputStream::Stdout) => stdout.pass_on(&line.text),
            (Output::Table, OutputStream::Stderr) | (Output::Json | Output::Jsonl, _) => stderr.pass_on(&line.text),
        }
    }

    /// How all ended, where that is not what was told last.
    pub(crate) fn end(&self, end: &SupervisionEnd, exit_code: u8) {
        match self.output {
            Output::Table => match end {
                SupervisionEnd::CrashLoop { .. } | SupervisionEnd::Failed(_) => {
                    self.stderr.tell(&format!("error: {end}"));
                }
                _ => {}
            },
            Output::Json | Output::Jsonl => {
                self.stdout.tell(&json!({"event": "over", "exit_code": exit_code, "why": end.to_string()}).to_string());
            }
        }
    }

    pub(crate) fn killed(&self) {
        self.stderr.tell("error: killed, as it was told twice to stop");
    }

    /// Waits until all is written, or nobody reads.
    pub(crate) fn flush(&self) {
        self.stdout.flush(LAST_WORDS);
        self.stderr.flush(LAST_WORDS);
    }
}

/// What to exit with, if nobody asked for the end.
pub(crate) fn exit_code(end: &SupervisionEnd) -> u8 {
    match end {
        SupervisionEnd::Over(end) | SupervisionEnd::Stopped(end) => of_run(end),
        SupervisionEnd::CrashLoop { last, .. } => of_run(last).max(FAILED),
        SupervisionEnd::Failed(error) => of_error(error),
        _ => WRAPPER,
    }
}

fn of_run(end: &RunEnd) -> u8 {
    match &end.cause {
        EndCause::NotReady(error) => of_not_ready(error),
        EndCause::Unhealthy(_) | EndCause::Watchdog(_) => FAILED,
        EndCause::NotStarted(error) => of_error(error),
        _ => end.status.map_or(FAILED, of_status),
    }
}

fn of_not_ready(error: &NotReady) -> u8 {
    match error {
        error if error.exit_status().is_some() => CHILD_ENDED,
        NotReady::Poll(PollError::DeadlineExceeded { .. })
        | NotReady::Line(LineError::TimedOut { .. })
        | NotReady::Notify(NotifyError::TimedOut { .. }) => TIMEOUT,
        NotReady::Poll(PollError::Child(error))
        | NotReady::Line(LineError::Child(error))
        | NotReady::Notify(NotifyError::Child(error)) => of_error(error),
        _ => FAILED,
    }
}

fn of_error(error: &DaemonError) -> u8 {
    match error {
        DaemonError::Spawn { source, .. } => exit::of_start(source),
        _ => WRAPPER,
    }
}

fn of_status(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| signal.saturating_add(SIGNAL.into()));
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}

fn json(event: &SupervisorEvent) -> Value {
    match event {
        SupervisorEvent::Started { run, pid, .. } => json!({"event": "started", "run": run, "pid": pid}),
        SupervisorEvent::Ready { run, after, .. } => {
            json!({"event": "ready", "run": run, "after_ms": millis(*after)})
        }
        SupervisorEvent::Stopping { run, why, .. } => json!({"event": "stopping", "run": run, "why": why}),
        SupervisorEvent::Ended(end) => ended(end),
        SupervisorEvent::Restarting { run, after, .. } => {
            json!({"event": "restarting", "run": run, "after_ms": millis(*after)})
        }
        _ => json!({"event": "other", "text": event.to_string()}),
    }
}

fn ended(end: &RunEnd) -> Value {
    let lines = end.last_lines.iter().map(|line| json!({"stream": line.stream.to_string(), "text": line.text}));
    json!({
        "event": "ended",
        "run": end.run,
        "cause": cause(&end.cause),
        "why": end.cause.to_string(),
        "code": end.status.and_then(|status| status.code()),
        "signal": end.status.and_then(|status| status.signal()),
        "forced": end.forced,
        "ready_for_ms": millis(end.ready_for),
        "last_lines": lines.collect::<Vec<_>>(),
    })
}

fn cause(cause: &EndCause) -> &'static str {
    match cause {
        EndCause::Exited => "exited",
        EndCause::NotReady(_) => "not_ready",
        EndCause::Unhealthy(_) => "unhealthy",
        EndCause::Watchdog(_) => "watchdog",
        EndCause::Ordered(_) => "ordered",
        EndCause::Stopped => "stopped",
        EndCause::NotStarted(_) => "not_started",
        _ => "other",
    }
}
