//! Probes that run a command.

use std::time::Duration;

use daemon_lifecycle::{HealthPoll, PollError, Probe, ProbeError, ProbeFailure, poll_until_healthy};

use crate::folder::Folder;

fn sh(script: &str) -> Probe {
    Probe::command("sh", ["-c", script]).timeout(Duration::from_secs(30))
}

async fn failure(script: &str) -> ProbeError {
    sh(script).ask().await.expect_err("an unhealthy command")
}

#[tokio::test]
async fn a_command_is_healthy_if_it_ends_with_0() {
    assert_eq!(sh("exit 0").ask().await.expect("healthy").status, None);
    let error = failure("echo no such table >&2; exit 3").await;
    assert_eq!((error.kind(), error.detail()), (ProbeFailure::Exit(Some(3)), Some("no such table")));
    assert_eq!(failure("kill -9 $$").await.kind(), ProbeFailure::Exit(None));
    let error = Probe::command("/no/such/program", [""; 0]).ask().await.expect_err("nothing to run");
    assert_eq!(error.kind(), ProbeFailure::CannotRun);
    assert_eq!(error.url(), "exec:/no/such/program");
}

#[tokio::test]
async fn a_command_probe_inherits_directory_and_environment() {
    let here = std::env::current_dir().expect("a directory");
    let script = format!("test \"$PWD\" = '{}' && test -n \"$PATH\"", here.display());
    sh(&script).ask().await.expect("the same directory, and a PATH");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_it_started_when_its_time_is_up() {
    let folder = Folder::new("hangs");
    let pids = folder.path().join("pids");
    let script = format!("sleep 600 & echo $! $$ > '{}'; trap '' TERM; echo stuck; wait", pids.display());
    let error =
        Probe::command("sh", ["-c", &script]).timeout(Duration::from_secs(2)).ask().await.expect_err("it hangs");
    assert_eq!((error.kind(), error.detail()), (ProbeFailure::Timeout, Some("stuck")));
    let pids = std::fs::read_to_string(pids).expect("the command had begun");
    for pid in pids.split_whitespace() {
        gone(pid).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_command_leaves_running_is_gone_after_it() {
    let folder = Folder::new("leaves");
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > '{}'", pid.display());
    sh(&script).ask().await.expect("healthy");
    gone(std::fs::read_to_string(pid).expect("a pid").trim()).await;
}

/// Waits until a process is no more, or awaits only to be reaped by whoever inherits it.
#[cfg(target_os = "linux")]
async fn gone(pid: &str) {
    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the process is killed");
}

#[tokio::test]
async fn a_command_is_asked_until_it_succeeds() {
    let folder = Folder::new("until");
    let script = format!("cd '{}' && if test -e seen; then exit 0; fi; touch seen; exit 1", folder.path().display());
    let poll = HealthPoll::from(sh(&script)).backoff(Duration::from_millis(1), 1.0);
    assert_eq!(poll_until_healthy(poll).await.expect("the second time").attempts, 2);
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_fatal_at_once() {
    let poll = HealthPoll::from(Probe::command("/no/such/program", [""; 0]));
    let error = poll_until_healthy(poll).await.expect_err("waiting mends nothing");
    let PollError::Fatal(report) = &error else { panic!("{error}") };
    assert_eq!(report.attempts(), 1);
    assert!(error.to_string().contains("command cannot be run (No such file"), "{error}");
}

#[tokio::test]
async fn a_command_is_never_admitted_where_addresses_are_asked_for() {
    let error = sh("exit 0").only_to(|_| true).ask().await.expect_err("a command has no address");
    assert_eq!(error.kind(), ProbeFailure::NotAdmitted);
}
