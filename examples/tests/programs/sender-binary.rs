//! The binary of heartbeat-sender, for the tests of this package: cargo builds no binaries of dependencies.

use std::process::ExitCode;

fn main() -> ExitCode {
    heartbeat_sender::cli::main()
}
