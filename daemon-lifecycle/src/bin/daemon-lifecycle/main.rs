//! Starts daemons, and waits for them to become healthy, on the command line.

mod args;
mod duration;
mod hand_over;
mod live;
#[cfg(all(feature = "daemon", unix))]
mod prune;
mod report;
#[cfg(all(feature = "daemon", unix))]
mod run;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Wait(wait) => ExitCode::from(wait::run(&wait)),
        #[cfg(all(feature = "daemon", unix))]
        Command::Run(run) => ExitCode::from(run::supervise(&run)),
        #[cfg(all(feature = "daemon", unix))]
        Command::Prune(prune) => ExitCode::from(prune::run(&prune)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), env!("CARGO_BIN_NAME"), &mut script);
            report::put(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
    }
}
