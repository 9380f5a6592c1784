//! The `heartbeat-sender` binary.

mod args;
mod beat;
mod hive;
mod notify;
mod run;
mod settings;
mod signal;
mod to;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing::Level;

use self::args::{Args, Command};
use crate::journal::Causes;

/// Exit codes: see the README.
const OK: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const AUTH: u8 = 4;
const UNREACHABLE: u8 = 5;
/// The wrapper itself failed, as env(1) has it.
const WRAPPER: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
/// Added to the number of the signal that ended a process.
const SIGNAL: u8 = 128;

/// Runs the binary with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Hive(args) => hive::hive(&args),
        Command::Beat(args) => beat::beat(&args),
        Command::Notify(args) => notify::notify(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "heartbeat-sender", &mut script);
            put(&script).map(|()| OK)
        }
    };
    ExitCode::from(done.unwrap_or_else(|Failed { message, code }| {
        tell(format_args!("{message}"));
        code
    }))
}

/// Why the binary ends before it has done what it was asked to.
#[derive(Debug)]
struct Failed {
    message: String,
    code: u8,
}

impl Failed {
    fn new(error: &dyn Error, code: u8) -> Self {
        Self { message: Causes(error).to_string(), code }
    }

    fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: USAGE }
    }
}

/// Says something to a person. Whether anyone reads it is none of our business.
fn tell(message: std::fmt::Arguments<'_>) {
    writeln!(io::stderr(), "heartbeat-sender: {message}").ok();
}

/// Writes data for whoever reads on standard output.
fn put(data: &[u8]) -> Result<(), Failed> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failed::new(&error, FAILED)),
    }
}

/// What the library logs goes to standard error.
fn log(level: Level) {
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    lines.without_time().with_ansi(false).init();
}
