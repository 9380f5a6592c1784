use std::{
    io::{self, PipeWriter},
    process::Stdio,
};

use rustix::process::Pid;
use tokio::process::{Child, Command};

/// Waits for the end of its input and then kills its process group, itself included. It ignores what is sent to the
/// group for the daemon's sake.
const SCRIPT: &str = "trap '' HUP INT QUIT USR1 USR2 PIPE ALRM TERM TSTP TTIN TTOU
while read -r _; do :; done
kill -KILL 0";

/// A process that kills the daemon's group when this process is no more, however that came about.
///
/// It holds one end of a pipe, this process the other, and the end of this process is what closes that. It leads the
/// group and is there before the daemon, which is born into the group, so there is no moment at which it does not know
/// whom to kill. A daemon between fork and exec holds a copy of our end: the guard does not act before it has joined.
///
/// `PR_SET_PDEATHSIG` would not do: it follows the thread that spawns, comes too late for a parent that is dead
/// already, and leaves grandchildren alone.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Child,
    pid: Pid,
    _lifeline: PipeWriter,
}

impl Guard {
    pub(crate) fn spawn() -> io::Result<Self> {
        // Elsewhere nobody could tell a group that is empty but for its guard.
        if !cfg!(target_os = "linux") {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "daemons die with their parent on Linux only"));
        }
        let (input, lifeline) = io::pipe()?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "daemon-guard"])
            .env_clear()
            .current_dir("/")
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no process id for a new guard"))?;
        Ok(Self { process, pid, _lifeline: lifeline })
    }

    /// Its process id, which is the number of the group.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it and reaps it, once it has nobody left to guard.
    pub(crate) async fn dismiss(mut self) {
        // One that is gone already has been reaped with the group's orphans.
        self.process.kill().await.ok();
    }
}
