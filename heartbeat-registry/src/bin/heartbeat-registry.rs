//! Runs a registry, and asks one.

use std::process::ExitCode;

fn main() -> ExitCode {
    heartbeat_registry::cli::main()
}
