use std::{
    ffi::{OsStr, OsString},
    io,
    process::Command,
};

use daemon_lifecycle::program::{exit, say};

/// Makes way for a command. Returns an exit code, as env(1) would, only if there is something left to return to.
pub(crate) fn to(program: &OsStr, args: &[OsString]) -> u8 {
    match replace(Command::new(program).args(args)) {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("error: cannot run `{}`: {error}", program.to_string_lossy()));
            exit::of_start(&error)
        }
    }
}

/// Becomes the command, so that signals and its end need no passing on.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Result<u8> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Result<u8> {
    let code = command.status()?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
