//! The example programs, as processes.

use std::path::Path;
use std::time::Duration;

use daemon_lifecycle::{Daemon, Signal, Stopped};

use crate::transcript::Command;

/// Far longer than any of them takes.
const BOUND: Duration = Duration::from_secs(60);

const PROGRAMS: [(&str, &str); 13] = [
    ("agents", env!("CARGO_BIN_EXE_agents")),
    ("dashboard", env!("CARGO_BIN_EXE_dashboard")),
    ("hive", env!("CARGO_BIN_EXE_hive")),
    ("minimal", env!("CARGO_BIN_EXE_minimal")),
    ("own-kind", env!("CARGO_BIN_EXE_own-kind")),
    ("panics", env!("CARGO_BIN_EXE_panics")),
    ("pipeline", env!("CARGO_BIN_EXE_pipeline")),
    ("queen", env!("CARGO_BIN_EXE_queen")),
    ("recover", env!("CARGO_BIN_EXE_recover")),
    ("route", env!("CARGO_BIN_EXE_route")),
    ("start-hive", env!("CARGO_BIN_EXE_start-hive")),
    ("supervise", env!("CARGO_BIN_EXE_supervise")),
    ("worker", env!("CARGO_BIN_EXE_worker")),
];

/// Where a program is.
pub(crate) fn path(name: &str) -> &'static str {
    let (_, path) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no program {name}"));
    path
}

/// A program that runs.
pub(crate) struct Program {
    line: String,
    process: Daemon,
}

/// What became of a program.
pub(crate) struct End {
    pub(crate) success: bool,
    pub(crate) lines: Vec<String>,
}

impl Program {
    /// Starts it where `cargo run` would, with one pipe for both its streams, so that their lines stay in order.
    pub(crate) fn start(command: &Command) -> Self {
        let process = Daemon::command("sh")
            .args(["-c", "exec \"$0\" \"$@\" 2>&1", path(&command.program)])
            .args(&command.args)
            .env("NO_COLOR", "1")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .spawn()
            .unwrap();
        Self { line: command.to_string(), process }
    }

    /// Waits for a line of which `find` makes something.
    pub(crate) async fn line<T: Send + 'static>(
        &mut self,
        mut find: impl FnMut(&str) -> Option<T> + Send + 'static,
    ) -> T {
        let found = self.process.wait_for_line(move |line| find(&line.text), BOUND).await;
        found.unwrap_or_else(|error| panic!("{}: {error}", self.line))
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(mut self) -> End {
        let ended = tokio::time::timeout(BOUND, self.process.wait()).await;
        ended.unwrap_or_else(|_| panic!("{} has not ended within {BOUND:?}", self.line)).unwrap();
        self.stop().await
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.process.signal_group(Signal::Interrupt).unwrap();
    }

    /// Asks it to stop, and takes no other end than a graceful one.
    pub(crate) async fn stop(self) -> End {
        let Stopped { status, forced, last_lines, .. } = self.process.stop(BOUND).await.unwrap();
        assert!(!forced, "{} had to be killed", self.line);
        let lines = last_lines.into_iter().map(|line| line.text).collect();
        End { success: status.success(), lines }
    }
}
