//! A command that is asked instead of a socket.

use std::{ffi::OsString, fmt, time::Duration};

use super::{
    answer::{Answer, excerpt},
    error::ProbeError,
    failure::ProbeFailure,
};
use crate::Daemon;

/// A program with its arguments. `Display` is `exec:` and all of it, for reading rather than for a shell.
#[derive(Debug, Clone)]
pub(super) struct CommandLine {
    program: OsString,
    args: Vec<OsString>,
    shown: String,
}

impl CommandLine {
    pub(super) fn new(program: OsString, args: Vec<OsString>) -> Self {
        let words = std::iter::once(&program).chain(&args).map(|word| word.to_string_lossy());
        let shown = format!("exec:{}", words.collect::<Vec<_>>().join(" "));
        Self { program, args, shown }
    }

    /// What a shell makes of a line. Shown without the shell.
    pub(super) fn of_shell(line: &str) -> Self {
        Self { program: "sh".into(), args: vec!["-c".into(), line.into()], shown: format!("exec:{line}") }
    }

    /// Runs it once, in a process group of its own of which nothing is left afterwards.
    pub(super) async fn run(&self, timeout: Duration) -> Result<Answer, ProbeError> {
        let mut command = Daemon::command(&self.program)
            .args(&self.args)
            .spawn()
            .map_err(|error| ProbeError::new(self, ProbeFailure::CannotRun).with_source(error))?;
        let Ok(ended) = tokio::time::timeout(timeout, command.wait()).await else {
            let said = command.last_lines().pop().map(|line| excerpt(line.text.as_bytes()));
            return Err(ProbeError::new(self, ProbeFailure::Timeout).with_detail(said.unwrap_or_default()));
        };
        let failed = |error| ProbeError::new(self, ProbeFailure::Other).with_source(error);
        let status = ended.map_err(failed)?;
        // With those it left running, and with its last words read.
        let said = command.stop(Duration::ZERO).await.map_err(failed)?.last_lines.pop();
        if status.success() {
            return Ok(Answer::default());
        }
        let said = said.map(|line| excerpt(line.text.as_bytes())).unwrap_or_default();
        Err(ProbeError::new(self, ProbeFailure::Exit(status.code())).with_detail(said))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
