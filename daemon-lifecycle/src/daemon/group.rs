use std::{io, process::ExitStatus, time::Duration};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, kill_process, kill_process_group, waitpgid},
};
use tokio::process::{ChildStderr, ChildStdout, Command};

use super::{error::DaemonError, members::anyone_runs, signal::Signal};

/// Longest pause between two looks at who is left of a group.
const MAX_LOOK_PAUSE: Duration = Duration::from_millis(160);

/// A child and the process group it leads. Dropped, it kills whoever is left.
///
/// The pid of the leader is the number of the group, and stays taken while any member lives.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Box<dyn ChildWrapper>,
    pid: Pid,
    status: Option<ExitStatus>,
    empty: bool,
}

impl Group {
    pub(crate) fn spawn(command: Command) -> Result<Self, DaemonError> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut command = CommandWrap::from(command);
        let spawned = command.wrap(ProcessGroup::leader()).spawn();
        spawned.and_then(Self::led_by).map_err(|source| DaemonError::Spawn { program, source })
    }

    fn led_by(leader: Box<dyn ChildWrapper>) -> io::Result<Self> {
        let pid = leader.id().and_then(|pid| i32::try_from(pid).ok());
        // To signal group 0 would be to signal our own, and group 1 means everybody.
        let pid = pid.filter(|pid| *pid > 1).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no process id for a new child"))?;
        Ok(Self { leader, pid, status: None, empty: false })
    }

    pub(crate) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.leader.stdout().take(), self.leader.stderr().take())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Waits for the leader only. process-wrap's own `wait` would, where this process is a reaper of orphans (PID 1
    /// of a container), also wait for every other member of the group.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, DaemonError> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let waited = self.leader.inner_mut().wait().await;
        let status = waited.map_err(|source| self.wait_error(source))?;
        self.reaped(status);
        Ok(status)
    }

    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, DaemonError> {
        if self.status.is_none() {
            let waited = self.leader.inner_mut().try_wait();
            if let Some(status) = waited.map_err(|source| self.wait_error(source))? {
                self.reaped(status);
            }
        }
        Ok(self.status)
    }

    /// Waits until the leader has been reaped and no other member runs.
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

    pub(crate) fn signal_leader(&self, signal: Signal) -> Result<(), DaemonError> {
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
        if self.empty { Err(Errno::SRCH) } else { kill_process_group(self.pid, signal.to_rustix()) }
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
            self.empty = !anyone_runs(self.pid);
            self.reap_orphans();
        }
        self.empty
    }

    /// Reaps members that were orphaned to this process, where it is a reaper of orphans. To be called once the leader
    /// has been reaped, whose status would be lost. process-wrap's `try_wait` does this only the first time.
    fn reap_orphans(&self) {
        // Ends with nobody dead among those who live, or with nobody left at all.
        while let Ok(Some(_)) = waitpgid(self.pid, WaitOptions::NOHANG) {}
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure, and the likeliest is that nobody is left to kill.
        self.send(Signal::Kill).ok();
    }
}
