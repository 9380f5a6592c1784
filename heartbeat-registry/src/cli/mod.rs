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

use daemon_lifecycle::program::exit::{AUTH, FAILED as UNHEALTHY, NOT_FOUND, SIGNAL, UNREACHABLE, USAGE};
use daemon_lifecycle::program::{self, Failed, with_causes};

use args::{Args, Command};

const NAME: &str = "heartbeat-registry";

/// Runs the binary with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args = program::parse::<Args>();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failed::new(&error, UNHEALTHY).tell(NAME),
    };
    let done = runtime.block_on(async {
        match args.command {
            Command::Serve(args) => serve::serve(args).await,
            Command::Token(command) => token::token(command),
            Command::Completions { shell } => program::put(program::completions::<Args>(shell)),
            Command::Read(command) => read::read(command).await,
        }
    });
    // A name that is being looked up must not keep the process from ending.
    runtime.shutdown_background();
    done.map_or_else(|failed| failed.tell(NAME), |()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable() {
        assert_eq!(program::flags_without_variable::<Args>(), [""; 0]);
    }
}
