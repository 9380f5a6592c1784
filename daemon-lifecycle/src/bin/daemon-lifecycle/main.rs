//! Starts daemons, and waits for them to become healthy, on the command line.

mod args;
mod hand_over;
mod live;
#[cfg(all(feature = "daemon", unix))]
mod prune;
mod report;
#[cfg(all(feature = "daemon", unix))]
mod run;
mod wait;

use std::process::ExitCode;

use daemon_lifecycle::program;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match program::parse::<Args>().command {
        Command::Wait(wait) => ExitCode::from(wait::run(&wait)),
        #[cfg(all(feature = "daemon", unix))]
        Command::Run(run) => ExitCode::from(run::supervise(&run)),
        #[cfg(all(feature = "daemon", unix))]
        Command::Prune(prune) => ExitCode::from(prune::run(&prune)),
        Command::Completions { shell } => program::put(program::completions::<Args>(shell))
            .map_or_else(|failed| failed.tell("error"), |()| ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, program};

    #[test]
    fn every_flag_has_an_environment_variable() {
        assert_eq!(program::flags_without_variable::<Args>(), [""; 0]);
    }
}
