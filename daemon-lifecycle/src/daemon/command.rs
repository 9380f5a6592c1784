use std::{
    ffi::OsStr,
    fmt,
    path::Path,
    process::{Command, Stdio},
};

use super::{
    Daemon,
    error::DaemonError,
    group::Group,
    output::{LineHook, OutputLine},
};

/// By these systemd lets a service speak for itself. A child must not speak for its parent.
const NOT_INHERITED: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// A daemon about to be started; made by [`Daemon::command`], or from a [`std::process::Command`] for what is not
/// offered here.
///
/// The daemon gets a process group of its own, the null device as standard input (a `Command` may set another), and
/// pipes for its output. `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are not inherited unless set here.
#[must_use = "nothing is started until `spawn`"]
pub struct DaemonCommand {
    command: Command,
    hook: Option<LineHook>,
}

impl DaemonCommand {
    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps an environment variable from being inherited.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Where the daemon runs; by default where this process does.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Calls `hook` for every line the daemon writes, from the task that reads it.
    ///
    /// While the hook runs, the stream is not read: one that blocks holds up the daemon in the end, and one that
    /// panics closes the stream.
    pub fn on_line(self, hook: impl Fn(&OutputLine) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Box::new(hook)), ..self }
    }

    /// Starts the daemon.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Spawn`] when the program cannot be started.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn spawn(self) -> Result<Daemon, DaemonError> {
        let Self { mut command, hook } = self;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let group = Group::spawn(command.into())?;
        Ok(Daemon::attach(group, hook))
    }
}

impl Daemon {
    /// Names the program to start, looked up in `PATH` unless it contains a `/`.
    pub fn command(program: impl AsRef<OsStr>) -> DaemonCommand {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        command.into()
    }
}

impl From<Command> for DaemonCommand {
    /// The streams for output that `command` may have set are replaced by pipes.
    fn from(mut command: Command) -> Self {
        for name in NOT_INHERITED {
            if !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        Self { command, hook: None }
    }
}

impl fmt::Debug for DaemonCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DaemonCommand").field(&self.command).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Daemon, DaemonCommand, NOT_INHERITED, OsStr};

    /// What `command` changes about a variable: nothing, its removal, or its value.
    fn change<'a>(command: &'a DaemonCommand, name: &str) -> Option<Option<&'a OsStr>> {
        command.command.get_envs().find_map(|(set, value)| (set == name).then_some(value))
    }

    #[test]
    fn what_systemd_told_the_parent_is_not_inherited() {
        let command = Daemon::command("true");
        for name in NOT_INHERITED {
            assert_eq!(change(&command, name), Some(None), "{name}");
        }
    }

    #[test]
    fn what_is_set_on_purpose_is_passed_on() {
        let mut prepared = Command::new("true");
        prepared.env("NOTIFY_SOCKET", "/a");
        let command = DaemonCommand::from(prepared).env("WATCHDOG_USEC", "1");
        assert_eq!(change(&command, "NOTIFY_SOCKET"), Some(Some(OsStr::new("/a"))));
        assert_eq!(change(&command, "WATCHDOG_USEC"), Some(Some(OsStr::new("1"))));
        assert_eq!(change(&command, "WATCHDOG_PID"), Some(None));
    }
}
