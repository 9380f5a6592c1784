use std::time::Duration;

use daemon_lifecycle::{
    Healthy, PastAttempt, PollError, PollReport, ProbeError,
    program::{self, Output, say},
};
use serde_json::{Value, json};

use crate::wait::Outcome;

/// Lines of data, for a program or a person. What came out is told by the exit code all the same.
fn put(data: &str) {
    if let Err(failed) = program::put(format!("{data}\n")) {
        say(format_args!("error: {}", failed.message));
    }
}

/// What went wrong.
pub(crate) fn failures(outcomes: &[Outcome]) {
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        say(format_args!("error: {error}"));
    }
}

/// What came out.
pub(crate) fn print(output: Output, outcomes: &[Outcome]) {
    put_rows(output, outcomes.iter().map(json), || table(outcomes));
}

/// One value for each thing that was asked about, or a table of them.
pub(crate) fn put_rows(output: Output, rows: impl Iterator<Item = Value>, table: impl FnOnce() -> String) {
    put(&match output {
        Output::Table => table(),
        Output::Json => Value::from_iter(rows).to_string(),
        Output::Jsonl => rows.map(|row| row.to_string()).collect::<Vec<_>>().join("\n"),
    });
}

/// Every key is always there, null where there is nothing to say.
fn json(outcome: &Outcome) -> Value {
    let (healthy, report) = match outcome {
        Ok(healthy) => (Some(healthy), None),
        Err(error) => (None, error.report()),
    };
    let answer = healthy.map(|healthy| &healthy.answer);
    let last = report.and_then(PollReport::last);
    json!({
        "given": healthy.map(|healthy| healthy.given.as_str()).or(report.map(PollReport::given)),
        "url": healthy.map(|healthy| healthy.url.as_str()).or(report.map(PollReport::url)),
        "healthy": healthy.is_some(),
        "outcome": outcome_name(outcome),
        "attempts": attempts(healthy, report),
        "elapsed_ms": millis(elapsed(healthy, report)),
        "status": answer.and_then(|answer| answer.status),
        "warning": answer.and_then(|answer| answer.warning.as_deref()),
        "instance_id": answer.and_then(|answer| answer.instance_id.as_deref()),
        "pid": answer.and_then(|answer| answer.pid),
        "version": answer.and_then(|answer| answer.version.as_deref()),
        "error": outcome.as_ref().err().map(ToString::to_string),
        "failure": last.map(|last| last.kind().name()),
        "hint": report.and_then(PollReport::hint),
        "progress": report.and_then(PollReport::progress),
        "recent": Value::from_iter(report.into_iter().flat_map(PollReport::recent).map(attempt)),
    })
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(_) => "healthy",
        Err(PollError::DeadlineExceeded { .. }) => "timeout",
        Err(PollError::AttemptsExhausted(_)) => "attempts_exhausted",
        Err(PollError::Fatal(_)) => "fatal",
        Err(PollError::CutShort(_)) => "cut_short",
        Err(_) => "error",
    }
}

fn attempt(past: &PastAttempt) -> Value {
    json!({
        "attempt": past.number,
        "at_ms": millis(past.at),
        "failure": past.error.kind().name(),
        "error": past.error.to_string(),
        "addresses": addresses(&past.error),
    })
}

fn addresses(error: &ProbeError) -> Value {
    let addresses = error
        .addresses()
        .iter()
        .map(|failure| json!({ "address": failure.address.to_string(), "failure": failure.kind.name() }));
    Value::from_iter(addresses)
}

fn table(outcomes: &[Outcome]) -> String {
    let rows: Vec<(&str, &str, u32, Duration)> = outcomes.iter().map(row).collect();
    let width = rows.iter().map(|row| row.0.len()).max().unwrap_or(0).max("URL".len());
    let header = format!("{:width$}  {:9}  {:>8}  {:>9}", "URL", "STATE", "ATTEMPTS", "ELAPSED");
    let lines = rows.iter().map(|(url, state, attempts, elapsed)| {
        let seconds = format!("{:.2} s", elapsed.as_secs_f64());
        format!("{url:width$}  {state:9}  {attempts:>8}  {seconds:>9}")
    });
    std::iter::once(header).chain(lines).collect::<Vec<_>>().join("\n")
}

fn row(outcome: &Outcome) -> (&str, &'static str, u32, Duration) {
    match outcome {
        Ok(healthy) => (&healthy.given, "healthy", healthy.attempts, healthy.elapsed),
        Err(error) => {
            let report = error.report();
            (report.map_or("", PollReport::given), "unhealthy", attempts(None, report), elapsed(None, report))
        }
    }
}

fn attempts(healthy: Option<&Healthy>, report: Option<&PollReport>) -> u32 {
    healthy.map(|healthy| healthy.attempts).or(report.map(PollReport::attempts)).unwrap_or(0)
}

fn elapsed(healthy: Option<&Healthy>, report: Option<&PollReport>) -> Duration {
    healthy.map(|healthy| healthy.elapsed).or(report.map(PollReport::elapsed)).unwrap_or_default()
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
