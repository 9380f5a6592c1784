//! Daemons that say themselves that they are ready, by the protocol of systemd.

use std::time::Duration;

use daemon_lifecycle::{Daemon, DaemonCommand, NotifyError};

use crate::process::{PATIENCE, bounded, line, sh, start, texts};

/// A program that sends each of its arguments as a datagram, unless one begins with what else to do, and then stays.
const SAYS: &str = "
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
for said in sys.argv[1:]:
    if said.startswith('sleep '):
        time.sleep(float(said[6:]))
    elif said.startswith('exit '):
        print('last words', flush=True)
        sys.exit(int(said[5:]))
    elif said.startswith('print '):
        print(said[6:], flush=True)
    else:
        s.send(said.encode())
time.sleep(600)
";

/// `None` if there is no python.
fn says(said: &[&str]) -> Option<DaemonCommand> {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        crate::notify::skipped("python3");
        return None;
    }
    Some(Daemon::command("python3").args(["-c", SAYS]).args(said).notify_socket())
}

#[tokio::test]
async fn a_daemon_is_ready_once_it_says_so() {
    let Some(command) = says(&["STATUS=loading", "READY=1\nSTATUS=all loaded"]) else { return };
    let mut daemon = command.spawn().expect("python starts");
    bounded(daemon.wait_until_notified(PATIENCE)).await.expect("to be ready");
    assert_eq!(daemon.told_status().as_deref(), Some("all loaded"));
    bounded(daemon.wait_until_notified(Duration::ZERO)).await.expect("to be ready still");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn a_child_that_dies_before_it_is_ready_is_reported_with_its_last_words() {
    let Some(command) = says(&["STATUS=2 of 3 loaded", "exit 3"]) else { return };
    let mut daemon = command.spawn().expect("python starts");
    let error = bounded(daemon.wait_until_notified(PATIENCE)).await.expect_err("it died");
    let NotifyError::ChildExited { status, told, last_lines, .. } = &error else { panic!("{error}") };
    assert_eq!((status.code(), told.as_deref()), (Some(3), Some("2 of 3 loaded")));
    assert_eq!(texts(last_lines), ["last words"]);
    let message = error.to_string();
    assert!(message.starts_with("child exited (exit status: 3) before READY=1; it said `2 of 3 loaded`"), "{message}");
}

#[tokio::test]
async fn a_daemon_that_asks_for_more_time_gets_it() {
    let said = ["EXTEND_TIMEOUT_USEC=60000000", "print asked", "sleep 1", "READY=1"];
    let Some(command) = says(&said) else { return };
    let mut daemon = command.spawn().expect("python starts");
    line(&mut daemon, "asked").await;
    let ready = daemon.wait_until_notified(Duration::from_millis(300));
    bounded(ready).await.expect("to be waited for longer than 300 ms");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn a_daemon_that_does_not_say_so_is_waited_for_no_longer_than_told() {
    let mut daemon = sh("echo starting; exec sleep 600").notify_socket().spawn().expect("sh starts");
    line(&mut daemon, "starting").await;
    let error = bounded(daemon.wait_until_notified(Duration::from_millis(20))).await.expect_err("it never says so");
    let NotifyError::TimedOut { told, last_lines, .. } = &error else { panic!("{error}") };
    assert_eq!((told, texts(last_lines)), (&None, vec!["starting"]));
    assert!(error.to_string().starts_with("no READY=1 within "), "{error}");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn nobody_is_waited_for_who_has_no_socket() {
    let mut daemon = start("echo \"socket: $NOTIFY_SOCKET.\"; exec sleep 600");
    assert_eq!(line(&mut daemon, "socket: ").await, ".");
    let error = bounded(daemon.wait_until_notified(PATIENCE)).await.expect_err("no socket");
    assert!(matches!(error, NotifyError::NoSocket), "{error}");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}
