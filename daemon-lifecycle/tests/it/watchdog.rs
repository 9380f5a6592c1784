//! Daemons that say that they are alive, or do not.

use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

use daemon_lifecycle::{DaemonCommand, EndCause, MissedWatchdog, OutputLine, RestartPolicy, Supervisor};
use tokio::sync::mpsc;

use crate::{
    process::{PATIENCE, bounded, sh, until},
    supervise::{Log, MS, last, supervisor},
};

/// Where the daemon listens for `NOTIFY_SOCKET`; what else it was told stands behind.
fn told(line: &OutputLine) -> Option<(PathBuf, String)> {
    let (path, rest) = line.text.strip_prefix("at ")?.split_once(' ')?;
    Some((path.into(), rest.to_owned()))
}

const TELLS: &str = "echo \"at $NOTIFY_SOCKET $WATCHDOG_USEC.\"; exec sleep 600";

/// Hands the first thing that a daemon was told to whoever waits for it.
fn telling() -> (impl FnMut() -> DaemonCommand + Send + 'static, mpsc::UnboundedReceiver<(PathBuf, String)>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let command = move || {
        let sender = sender.clone();
        sh(TELLS).on_line(move |line| {
            told(line).into_iter().for_each(|told| sender.send(told).expect("the test waits"));
        })
    };
    (command, receiver)
}

/// Says it in the daemon's place.
fn say(path: &Path, said: &str) {
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.send_to(said.as_bytes(), path).expect("to be heard");
}

#[tokio::test]
async fn a_daemon_that_does_not_say_that_it_is_alive_is_started_again() {
    let log = Log::default();
    let supervision = supervisor("exec sleep 600").watchdog(20 * MS).on_event(log.hook()).spawn();
    until(|| supervision.state().run >= 3).await;
    bounded(supervision.stop()).await;
    let words = log.words();
    assert_eq!(words[..5], ["1 started", "1 ready", "1 stopping", "1 ended", "2 restarting"], "{words:?}");
}

#[tokio::test]
async fn a_daemon_is_told_its_watchdog_and_may_change_it_but_not_beyond_help() {
    let (command, mut told) = telling();
    let supervision = Supervisor::new(command).watchdog(3_600 * 1_000 * MS).restart(RestartPolicy::Never).spawn();
    let (socket, usec) = bounded(told.recv()).await.expect("it tells");
    assert_eq!(usec, "3600000000.");
    assert!(bounded(supervision.until_ready()).await);
    say(&socket, "WATCHDOG_USEC=1000");
    let end = bounded(supervision.over()).await;
    let EndCause::Watchdog(missed) = last(&end).cause else { panic!("{end}") };
    assert_eq!(missed, MissedWatchdog::Silent(MS));
    assert!(end.to_string().contains("watchdog: no WATCHDOG=1 for 1 ms"), "{end}");
}

#[tokio::test]
async fn a_daemon_that_is_beyond_help_may_say_so_while_it_starts() {
    let (command, mut told) = telling();
    let supervisor = Supervisor::new(command).watchdog(PATIENCE).start_timeout(PATIENCE).ready_when_notified();
    let supervision = supervisor.restart(RestartPolicy::Never).spawn();
    let (socket, _) = bounded(told.recv()).await.expect("it tells");
    say(&socket, "WATCHDOG=trigger");
    let end = bounded(supervision.over()).await;
    assert!(matches!(last(&end).cause, EndCause::Watchdog(MissedWatchdog::Triggered)), "{end}");
}

#[tokio::test]
async fn a_daemon_without_watchdog_is_told_of_none_and_cannot_miss_it() {
    let (command, mut told) = telling();
    let supervision = Supervisor::new(command).start_timeout(PATIENCE).ready_when_notified().spawn();
    let (socket, usec) = bounded(told.recv()).await.expect("it tells");
    assert_eq!(usec, ".");
    say(&socket, "WATCHDOG=trigger\nWATCHDOG_USEC=1");
    say(&socket, "READY=1");
    assert!(bounded(supervision.until_ready()).await);
    tokio::time::sleep(20 * MS).await;
    assert_eq!(supervision.state().run, 1);
    bounded(supervision.stop()).await;
}
