//! Starts daemons, and waits for them to become healthy, on the command line.

mod args;
mod duration;
mod hand_over;
mod report;
#[cfg(all(feature = "daemon", unix))]
mod run;
mod wait;

use std::{error::Error, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::{
    args::{Args, Command, Wait},
    report::say,
    wait::Ended,
};

/// A setting that makes no sense, as clap has it for one that cannot be read.
const USAGE: u8 = 2;
/// As timeout(1) has it.
const TIMEOUT: u8 = 124;

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Wait(wait) => ExitCode::from(run(&wait)),
        #[cfg(all(feature = "daemon", unix))]
        Command::Run(run) => ExitCode::from(run::supervise(&run)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), env!("CARGO_BIN_NAME"), &mut script);
            report::put(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
    }
}

fn run(wait: &Wait) -> u8 {
    let polls = wait.polls();
    for poll in &polls {
        if let Err(error) = poll.validate() {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            say(format_args!("error: {error}{cause}"));
            return USAGE;
        }
    }
    let outcomes = match wait::for_all(polls) {
        Ok(Ended::Outcomes(outcomes)) => outcomes,
        Ok(Ended::Interrupted(signal)) => {
            say(format_args!("error: interrupted"));
            return 128 + signal;
        }
        Err(error) => {
            say(format_args!("error: cannot start: {error}"));
            return 1;
        }
    };
    report::failures(&outcomes);
    if !outcomes.iter().all(Result::is_ok) {
        report::print(wait.output, &outcomes);
        return TIMEOUT;
    }
    match wait.command.split_first() {
        // Its standard output belongs to the command alone.
        Some((program, args)) => hand_over::to(program, args),
        None => {
            report::print(wait.output, &outcomes);
            0
        }
    }
}
