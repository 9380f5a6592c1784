//! Waits on the command line for daemons to become healthy.

mod args;
mod duration;
mod hand_over;
mod live;
mod report;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Wait(wait) => ExitCode::from(wait::run(&wait)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), env!("CARGO_BIN_NAME"), &mut script);
            report::put(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
    }
}
