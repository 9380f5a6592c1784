//! Exit codes, one set for all binaries.

/// All is well, or was done.
pub const OK: u8 = 0;
/// Not healthy, refused, or it could not be done.
pub const FAILED: u8 = 1;
/// Arguments, or files they name, that make no sense; as clap has it.
pub const USAGE: u8 = 2;
/// It is not known.
pub const NOT_FOUND: u8 = 3;
/// A child ended before it was ready.
pub const CHILD_ENDED: u8 = 3;
/// Without the right credentials.
pub const AUTH: u8 = 4;
/// It cannot be reached.
pub const UNREACHABLE: u8 = 5;
/// Not in time, as timeout(1) has it.
pub const TIMEOUT: u8 = 124;
/// The wrapper itself failed, as env(1) has it.
pub const WRAPPER: u8 = 125;
/// A command is there and cannot be run.
pub const CANNOT_RUN: u8 = 126;
/// There is no such command.
pub const NO_COMMAND: u8 = 127;
/// Added to the number of the signal that ended a process.
pub const SIGNAL: u8 = 128;

/// What to exit with when a command could not be started.
#[must_use]
pub fn of_start(error: &std::io::Error) -> u8 {
    if error.kind() == std::io::ErrorKind::NotFound { NO_COMMAND } else { CANNOT_RUN }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    #[test]
    fn a_command_that_does_not_start_is_told_as_env_tells_it() {
        assert_eq!(super::of_start(&ErrorKind::NotFound.into()), 127);
        assert_eq!(super::of_start(&ErrorKind::PermissionDenied.into()), 126);
    }
}
