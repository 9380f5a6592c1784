//! The `heartbeat-registry` binary.

mod alerts;
mod args;
mod figures;
mod follow;
mod journal;
mod output;
mod read;
mod serve;
mod token;
mod told;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use output::tell;

/// Exit codes: see the README.
const OK: u8 = 0;
const UNHEALTHY: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const AUTH: u8 = 4;
const UNREACHABLE: u8 = 5;
/// Added to the number of the signal that ended the process.
const SIGNAL: u8 = 128;

/// Runs the binary with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, UNHEALTHY),
    };
    let done = runtime.block_on(async {
        match args.command {
            Command::Serve(args) => serve::serve(args).await,
            Command::Token(command) => token::token(command),
            Command::Read(command) => read::read(command).await,
        }
    });
    // A name that is being looked up must not keep the process from ending.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::from(OK),
        Err(Failed { message, code }) => {
            if !message.is_empty() {
                tell(&format!("heartbeat-registry: {message}"));
            }
            ExitCode::from(code)
        }
    }
}

/// Why the binary ends with another code than 0.
#[derive(Debug)]
struct Failed {
    /// Empty where whoever ended it knows why.
    message: String,
    code: u8,
}

impl Failed {
    fn new(error: &dyn std::error::Error, code: u8) -> Self {
        Self { message: with_causes(error), code }
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    tell(&format!("heartbeat-registry: {}", with_causes(error)));
    ExitCode::from(code)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
