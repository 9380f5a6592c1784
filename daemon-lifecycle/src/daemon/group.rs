use std::{io, process::ExitStatus, time::Duration};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup, ProcessSession};
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, kill_process, kill_process_group, waitpgid},
};
use tokio::process::{ChildStderr, ChildStdout, Command};

use super::{error::DaemonError, guard::Guard, members::anyone_runs, signal::Signal};

/// Longest pause between two looks at who is left of a group.
const MAX_LOOK_PAUSE: Duration = Duration::from_millis(160);

/// How a child stands apart from this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    /// In a process group that it leads.
    Group,
    /// In a session, and group, that it leads.
    Session,
    /// In a process group that its guard leads.
    GuardedGroup,
}

/// A child and its process group. Dropped, it kills whoever is left.
///
/// The number of the group is the pid of the child, or of its guard where it has one. It stays taken while any member
/// lives, or one that died is not reaped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Box<dyn ChildWrapper>,
    pid: Pid,
    number: Pid,
    guard: Option<Guard>,
    status: Option<ExitStatus>,
    empty: bool,
}

impl Group {
    pub(crate) fn spawn(command: Command, apart: Apart) -> Result<Self, DaemonError> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        Self::try_spawn(CommandWrap::from(command), apart).map_err(|source| DaemonError::Spawn { program, source })
    }

    fn try_spawn(mut command: CommandWrap, apart: Apart) -> io::Result<Self> {
        let guard = match apart {
            Apart::GuardedGroup => Some(Guard::spawn()?),
            Apart::Group | Apart::Session => None,
        };
        let child = match &guard {
            Some(guard) => command.wrap(ProcessGroup::attach_to(guard.pid().as_raw_pid().unsigned_abs())),
            None if apart == Apart::Session => command.wrap(ProcessSession),
            None => command.wrap(ProcessGroup::leader()),
        }
        .spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        // To signal group 0 would be to signal our own, and group 1 means everybody.
        let pid = pid.filter(|pid| *pid > 1).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no process id for a new child"))?;
        let number = guard.as_ref().map_or(pid, Guard::pid);
        Ok(Self { child, pid, number, guard, status: None, empty: false })
    }

    pub(crate) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout().take(), self.child.stderr().take())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// The number of the group.
    pub(crate) fn number(&self) -> u32 {
        self.number.as_raw_pid().unsigned_abs()
    }

    /// Waits for the child only. process-wrap's own `wait` would, where this process is a reaper of orphans (PID 1
    /// of a container), also wait for every other member of the group.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, DaemonError> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let waited = self.child.inner_mut().wait().await;
        let status = waited.map_err(|source| self.wait_error(source))?;
        self.reaped(status);
        Ok(status)
    }

    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, DaemonError> {
        if self.status.is_none() {
            let waited = self.child.inner_mut().try_wait();
            if let Some(status) = waited.map_err(|source| self.wait_error(source))? {
                self.reaped(status);
            }
        }
        Ok(self.status)
    }

    /// Waits until the child has been reaped and no other member runs but its guard.
    pub(crate) async fn wait_until_empty(&mut self) -> Result<ExitStatus, DaemonError> {
        let status = self.wait().await?;
        let mut pause = Duration::from_millis(5);
        // Nobody is told about the end of a process that is not its own child, so this has to look.
        while !self.look_whether_empty() {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(MAX_LOOK_PAUSE);
        }
        Ok(status)
    }

    pub(crate) fn signal_child(&self, signal: Signal) -> Result<(), DaemonError> {
        let sent = match self.status {
            None => kill_process(self.pid, signal.to_rustix()),
            Some(_) => Err(Errno::SRCH),
        };
        self.sent(signal, sent)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), DaemonError> {
        self.sent(signal, self.send(signal))
    }

    /// As [`signal`](Self::signal), but nobody left to receive it is fine.
    pub(crate) fn signal_survivors(&self, signal: Signal) -> Result<(), DaemonError> {
        match self.send(signal) {
            Err(Errno::SRCH) => Ok(()),
            sent => self.sent(signal, sent),
        }
    }

    fn send(&self, signal: Signal) -> Result<(), Errno> {
        // The number of an empty group may be someone else's by now.
        if self.empty { Err(Errno::SRCH) } else { kill_process_group(self.number, signal.to_rustix()) }
    }

    fn sent(&self, signal: Signal, sent: Result<(), Errno>) -> Result<(), DaemonError> {
        let pid = self.pid();
        sent.map_err(|errno| DaemonError::Signal { signal, pid, source: errno.into() })
    }

    fn wait_error(&self, source: io::Error) -> DaemonError {
        DaemonError::Wait { pid: self.pid(), source }
    }

    fn reaped(&mut self, status: ExitStatus) {
        self.status = Some(status);
        self.look_whether_empty();
    }

    fn look_whether_empty(&mut self) -> bool {
        if !self.empty {
            // Looks first: who dies between the two would stay a zombie.
            self.empty = !anyone_runs(self.number, self.guard.as_ref().map(Guard::pid));
            self.reap_orphans();
        }
        self.empty
    }

    /// Reaps members that were orphaned to this process, where it is a reaper of orphans. To be called once the child
    /// has been reaped, whose status would be lost. process-wrap's `try_wait` does this only the first time.
    fn reap_orphans(&self) {
        // Ends with nobody dead among those who live, or with nobody left at all.
        while let Ok(Some(_)) = waitpgid(self.number, WaitOptions::NOHANG) {}
    }

    /// Ends the guard of an empty group.
    pub(crate) async fn dismiss_guard(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.dismiss().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure, and the likeliest is that nobody is left to kill.
        self.send(Signal::Kill).ok();
    }
}
