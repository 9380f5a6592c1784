use std::{path::PathBuf, time::Duration};

use clap::Args;
use daemon_lifecycle::{
    PidFile, PidFileError, Pruned, RunningProcess,
    program::{
        Output, duration,
        exit::{FAILED, OK, WRAPPER},
        say, with_causes,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::report::{millis, put_rows};

type Outcome = Result<Pruned, PidFileError>;

/// End the daemons that a killed `run` left behind, and remove stale pid files.
///
/// A daemon that is still supervised is left alone, and so is a file that `run` did not write. Only Linux tells whether a
/// daemon was left behind.
///
/// Exit codes: 0 nothing is left behind; 1 something could not be ended or removed; 2 usage.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// The pid files, as `run --pid-file` wrote them
    #[arg(required = true, value_name = "PIDFILE")]
    pid_files: Vec<PathBuf>,
    /// How long a daemon may take to end before it is killed
    #[arg(long, env = "HEARTBEAT_PRUNE_STOP_GRACE", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    stop_grace: Duration,
    /// How to print what was done
    #[arg(long, env = "HEARTBEAT_PRUNE_OUTPUT", value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Prunes all, and tells what was done. Returns the exit code.
pub(crate) fn run(prune: &Prune) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("error: cannot start: {error}"));
            return WRAPPER;
        }
    };
    let outcomes = runtime.block_on(all(prune));
    for error in outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err()) {
        say(format_args!("error: {}", with_causes(error)));
    }
    put_rows(prune.output, outcomes.iter().map(|(path, outcome)| json(path, outcome)), || table(&outcomes));
    if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) { OK } else { FAILED }
}

/// All at once: each may take the whole grace.
async fn all(prune: &Prune) -> Vec<(String, Outcome)> {
    let begun: Vec<(String, JoinHandle<Outcome>)> = prune
        .pid_files
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let (path, grace) = (path.clone(), prune.stop_grace);
            (name, tokio::spawn(async move { PidFile::prune(path, grace).await }))
        })
        .collect();
    let mut outcomes = Vec::new();
    for (name, outcome) in begun {
        outcomes.push((name, outcome.await.expect("to prune does not panic")));
    }
    outcomes
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(Pruned::Absent) => "absent",
        Ok(Pruned::Held(_)) => "held",
        Ok(Pruned::Stale) => "removed",
        Ok(Pruned::Ended { .. }) => "ended",
        Ok(_) => "other",
        Err(_) => "failed",
    }
}

/// Whom it is about.
fn process(outcome: &Outcome) -> Option<&RunningProcess> {
    match outcome {
        Ok(Pruned::Held(process)) => process.as_ref(),
        Ok(Pruned::Ended { process, .. }) | Err(PidFileError::LeftBehind { process, .. }) => Some(process),
        _ => None,
    }
}

/// Every key is always there, null where there is nothing to say.
fn json(path: &str, outcome: &Outcome) -> Value {
    let process = process(outcome);
    json!({
        "pid_file": path,
        "outcome": word(outcome),
        "pid": process.map(|process| process.pid),
        "age_ms": process.and_then(|process| process.age).map(millis),
        "error": outcome.as_ref().err().map(|error| with_causes(error)),
    })
}

fn table(outcomes: &[(String, Outcome)]) -> String {
    let width = outcomes.iter().map(|(path, _)| path.len()).max().unwrap_or(0).max("PIDFILE".len());
    let header = format!("{:width$}  {:7}  {:>10}  {:>11}", "PIDFILE", "OUTCOME", "PID", "AGE");
    let lines = outcomes.iter().map(|(path, outcome)| {
        let process = process(outcome);
        let pid = process.map_or_else(|| "-".to_owned(), |process| process.pid.to_string());
        let age = process.and_then(|process| process.age);
        let age = age.map_or_else(|| "-".to_owned(), |age| format!("{:.2} s", age.as_secs_f64()));
        format!("{path:width$}  {:7}  {pid:>10}  {age:>11}", word(outcome))
    });
    std::iter::once(header).chain(lines).collect::<Vec<_>>().join("\n")
}
