//! Sends heartbeats for any program, for a host, or one at a time.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    return heartbeat_sender::cli::main();
    #[cfg(not(unix))]
    {
        eprintln!("heartbeat-sender: this program needs Unix");
        ExitCode::FAILURE
    }
}
