//! The `heartbeat-sender` binary.

mod args;
mod beat;
mod hive;
mod kind;
mod notify;
mod run;
mod settings;
mod signal;
mod to;

use std::io;
use std::process::ExitCode;

use daemon_lifecycle::program::exit::{AUTH, FAILED, OK, SIGNAL, UNREACHABLE, USAGE, WRAPPER};
use daemon_lifecycle::program::{self, Failed, put};
use tracing::Level;

use self::args::{Args, Command};

const NAME: &str = "heartbeat-sender";

/// Runs the binary with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let done = match program::parse::<Args>().command {
        Command::Run(args) => run::run(&args),
        Command::Hive(args) => hive::hive(&args),
        Command::Beat(args) => beat::beat(&args),
        Command::Notify(args) => notify::notify(&args),
        Command::Completions { shell } => put(program::completions::<Args>(shell)).map(|()| OK),
    };
    done.map_or_else(|failed| failed.tell(NAME), ExitCode::from)
}

/// Says something to a person. Whether anyone reads it is none of our business.
fn tell(message: std::fmt::Arguments<'_>) {
    program::say(format_args!("{NAME}: {message}"));
}

/// What the library logs goes to standard error.
fn log(level: Level) {
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    lines.without_time().with_ansi(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable() {
        assert_eq!(program::flags_without_variable::<Args>(), [""; 0]);
    }
}
