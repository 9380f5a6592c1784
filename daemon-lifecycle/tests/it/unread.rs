//! `daemon-lifecycle run`, whose standard streams nobody reads.

use std::{
    io::{PipeReader, pipe},
    process::Stdio,
};

use daemon_lifecycle::NotifySocket;
use tokio::process::{Child, Command};

use crate::{process::bounded, run::under_run};

/// What writes more than fits, to both streams, for ever.
const TALKS: &str = "yes & yes >&2";

/// Started as by systemd, with a watchdog, and with pipes that are full before long.
fn unread(options: &[&str], script: &str, outer: &NotifySocket) -> (Child, [PipeReader; 2]) {
    let ((out, stdout), (err, stderr)) = (pipe().expect("a pipe"), pipe().expect("a pipe"));
    let mut command = Command::from(under_run(options, script));
    command.env("NOTIFY_SOCKET", outer.path()).env("WATCHDOG_USEC", "200000").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    (command.spawn().expect("the binary starts"), [out, err])
}

/// Waits until the supervisor has said so many times that it is alive.
async fn pings(outer: &NotifySocket, count: usize) {
    let mut pings = 0;
    while pings < count {
        pings += usize::from(bounded(outer.recv()).await.expect("a socket").watchdog());
    }
}

#[tokio::test]
async fn who_passes_on_output_that_nobody_reads_still_pings_and_stops() {
    for options in [&[][..], &["--output", "jsonl"]] {
        let outer = NotifySocket::bind().expect("a socket");
        let (mut run, _unread) = unread(options, TALKS, &outer);
        pings(&outer, 6).await;
        let pid = run.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg(&pid).status().expect("kill starts").success());
        assert_eq!(bounded(run.wait()).await.expect("a child").code(), Some(143), "{options:?}");
    }
}

#[tokio::test]
async fn who_passes_on_output_that_nobody_reads_still_restarts() {
    let outer = NotifySocket::bind().expect("a socket");
    let options = ["--watchdog", "300ms", "--stop-grace", "50ms", "--restart-delay", "0s", "--restart-limit", "1"];
    let (mut run, _unread) = unread(&options, TALKS, &outer);
    // Given up after two runs, neither of which fed its watchdog.
    assert_eq!(bounded(run.wait()).await.expect("a child").code(), Some(1));
}
