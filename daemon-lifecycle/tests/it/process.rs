//! Real processes, and what became of them.

use std::{process::Command, time::Duration};

use daemon_lifecycle::{Daemon, DaemonCommand, OutputLine};

/// Only a test that fails runs into this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn sh(script: &str) -> DaemonCommand {
    Daemon::command("sh").args(["-c", script])
}

pub(crate) fn start(script: &str) -> Daemon {
    sh(script).spawn().expect("sh starts")
}

pub(crate) async fn bounded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("not to hang")
}

/// Waits until something is so that nobody tells of.
pub(crate) async fn until(is_it: impl Fn() -> bool) {
    bounded(async {
        while !is_it() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// The rest of the first line that starts with `prefix`.
pub(crate) async fn line(daemon: &mut Daemon, prefix: &'static str) -> String {
    let find = move |line: &OutputLine| line.text.strip_prefix(prefix).map(str::to_owned);
    daemon.wait_for_line(find, PATIENCE).await.expect("the line")
}

pub(crate) fn texts(lines: &[OutputLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

/// Whether a process that is not our child runs; a dead one that nobody has reaped does not.
pub(crate) fn runs(pid: &str) -> bool {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        return stat.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "));
    }
    Command::new("kill").args(["-0", pid]).status().expect("kill starts").success()
}

pub(crate) async fn gone(pid: &str) {
    until(|| !runs(pid)).await;
}

pub(crate) fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().expect("kill starts").success());
}
