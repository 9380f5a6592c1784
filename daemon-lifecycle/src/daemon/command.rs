use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    Daemon,
    error::DaemonError,
    group::{Apart, Group},
    log_file::LogFile,
    output::{LineHook, OutputLine},
};
use crate::notify::NotifySocket;

/// By these systemd lets a service speak for itself, and hands it sockets. What it said to the parent is not for a child.
const NOT_INHERITED: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// A daemon about to be started; made by [`Daemon::command`], or from a [`std::process::Command`] for what is not
/// offered here.
///
/// The daemon gets a process group of its own, the null device as standard input (a `Command` may set another), and
/// pipes for its output. What systemd told this process is not inherited unless set here: `NOTIFY_SOCKET`,
/// `WATCHDOG_USEC`, `WATCHDOG_PID`, `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`.
#[must_use = "nothing is started until `spawn`"]
pub struct DaemonCommand {
    command: Command,
    apart: Apart,
    hook: Option<LineHook>,
    log_file: Option<PathBuf>,
    notify: bool,
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
    /// While the hook runs, the stream is not read: one that blocks holds up the daemon in the end, and whatever else waits
    /// for this thread of the runtime; one that panics closes the stream.
    pub fn on_line(self, hook: impl Fn(&OutputLine) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Box::new(hook)), ..self }
    }

    /// Appends all that the daemon writes to a file too, whole lines at a time, both streams together.
    ///
    /// The daemon never waits for the disk: what the file does not take, because the disk is full or too slow, is lost,
    /// and a line in the file says how many bytes, once it can be written again. The file is opened by [`spawn`](Self::spawn)
    /// and held open until the daemon is stopped, so whoever rotates it truncates it in place.
    pub fn log_file(self, path: impl Into<PathBuf>) -> Self {
        Self { log_file: Some(path.into()), ..self }
    }

    /// Gives the daemon a socket at which to tell that it is ready, and its path in `NOTIFY_SOCKET`, as systemd would:
    /// for [`Daemon::wait_until_notified`].
    pub fn notify_socket(self) -> Self {
        Self { notify: true, ..self }
    }

    /// Starts the daemon in a session of its own, without the terminal of this process. Its process group is its own
    /// either way. In place of [`die_with_parent`](Self::die_with_parent).
    pub fn own_session(self) -> Self {
        Self { apart: Apart::Session, ..self }
    }

    /// Sees to it that the daemon's whole process group is killed when this process ends, even by `SIGKILL`, and even
    /// right now. In place of [`own_session`](Self::own_session), since nobody can join a session. Linux only.
    ///
    /// A small process does that, `/bin/sh` waiting at a pipe. It leads the group, so that the number of the group is
    /// its pid and not the daemon's. A process that has left the group is not killed, and whoever kills that small
    /// process ends the protection.
    pub fn die_with_parent(self) -> Self {
        Self { apart: Apart::GuardedGroup, ..self }
    }

    /// Starts the daemon.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Spawn`] when the program cannot be started, or, off Linux, was to
    /// [die with its parent](Self::die_with_parent); [`DaemonError::LogFile`] and [`DaemonError::NotifySocket`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn spawn(self) -> Result<Daemon, DaemonError> {
        let Self { mut command, apart, hook, log_file, notify } = self;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let log = match log_file {
            Some(path) => Some(LogFile::open(&path).map_err(|source| DaemonError::LogFile { path, source })?),
            None => None,
        };
        let socket = match notify {
            true => Some(NotifySocket::bind().map_err(|source| DaemonError::NotifySocket { source })?),
            false => None,
        };
        if let Some(socket) = &socket {
            command.env("NOTIFY_SOCKET", socket.path());
        }
        let group = Group::spawn(command.into(), apart)?;
        let mut daemon = Daemon::attach(group, hook, log);
        if let Some(socket) = socket {
            daemon.listen_at(socket);
        }
        Ok(daemon)
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
        Self { command, apart: Apart::Group, hook: None, log_file: None, notify: false }
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
