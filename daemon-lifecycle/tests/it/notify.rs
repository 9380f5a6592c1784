use std::{
    io::{self, Write},
    os::unix::net::UnixDatagram,
    process::{Output, Stdio},
    time::Duration,
};

use daemon_lifecycle::{Notification, Notifier, NotifySocket};
use tokio::process::Command;

/// Only a test that fails runs into this.
const PATIENCE: Duration = Duration::from_secs(60);

async fn bounded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("not to hang")
}

async fn next(socket: &NotifySocket) -> Notification {
    bounded(socket.recv()).await.expect("a socket that can be read")
}

fn send(socket: &NotifySocket, datagram: &[u8]) {
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.send_to(datagram, socket.path()).expect("to be heard");
}

/// What a program said that was told where the socket is, and how it ended; `None` if there is no such program.
async fn heard(program: &str, args: &[&str]) -> Option<(Vec<Notification>, Output)> {
    let socket = NotifySocket::bind().expect("a socket");
    let mut command = Command::new(program);
    command.args(args).env("NOTIFY_SOCKET", socket.path()).stdin(Stdio::null()).kill_on_drop(true);
    let end = async {
        let output = bounded(command.output()).await;
        send(&socket, b"X_END=1");
        output
    };
    let hear = async {
        let mut heard = Vec::new();
        loop {
            match next(&socket).await {
                told if told.get("X_END").is_some() => return heard,
                told => heard.push(told),
            }
        }
    };
    match tokio::join!(hear, end) {
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        (heard, output) => Some((heard, output.expect("the program can be run"))),
    }
}

pub(crate) fn skipped(program: &str) {
    // Not println, which the test harness would swallow.
    writeln!(io::stdout(), "skipped: {program} not found (cargo xtask setup)").expect("standard output");
}

#[tokio::test]
async fn datagrams_are_heard_one_by_one_and_in_order() {
    let socket = NotifySocket::bind().expect("a socket");
    send(&socket, b"STATUS=loading");
    send(&socket, b"READY=1\nX_HEARTBEAT_QUEUE_DEPTH=7");
    assert_eq!(next(&socket).await.status(), Some("loading"));
    let ready = next(&socket).await;
    assert!(ready.ready());
    assert_eq!(ready.get("X_HEARTBEAT_QUEUE_DEPTH"), Some("7"));
}

#[tokio::test]
async fn what_was_sent_before_is_there_without_waiting() {
    let socket = NotifySocket::bind().expect("a socket");
    send(&socket, &vec![b'x'; 70_000]);
    send(&socket, b"STATUS=loading");
    send(&socket, b"READY=1");
    // The runtime has not had a chance to look.
    let there = || socket.try_recv().expect("a socket that can be read");
    assert_eq!(there().and_then(|told| told.status().map(str::to_owned)).as_deref(), Some("loading"));
    assert!(there().is_some_and(|told| told.ready()));
    assert!(there().is_none());
    send(&socket, b"STOPPING=1");
    assert!(next(&socket).await.stopping(), "waiting works as before");
}

#[tokio::test]
async fn a_notifier_is_heard_in_one_datagram() {
    let socket = NotifySocket::bind().expect("a socket");
    let notifier = Notifier::new(socket.path()).expect("an address");
    notifier.send(&["READY=1", "STATUS=all loaded"]).expect("to be heard");
    notifier.send_within(&["STOPPING=1"], PATIENCE).expect("to be heard");
    let told = next(&socket).await;
    assert_eq!((told.ready(), told.status()), (true, Some("all loaded")));
    assert!(next(&socket).await.stopping());
    let error = notifier.send(&["STATUS=two\nREADY=1"]).expect_err("two lines");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let path = socket.path().to_owned();
    drop(socket);
    let error = notifier.send(&["READY=1"]).expect_err("nobody listens");
    assert!(error.to_string().starts_with(&format!("NOTIFY_SOCKET={}: ", path.display())), "{error}");
}

#[tokio::test]
async fn a_notifier_never_blocks_at_a_full_socket_unless_it_is_to_wait_for_room() {
    let socket = NotifySocket::bind().expect("a socket");
    let notifier = Notifier::new(socket.path()).expect("an address");
    let full = (0..1_000_000).find_map(|_| notifier.send(&["WATCHDOG=1"]).err()).expect("nobody reads");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let waited = notifier.send_within(&["READY=1"], Duration::from_millis(10)).expect_err("there is no room");
    assert_eq!(waited.kind(), io::ErrorKind::WouldBlock);

    let waits = tokio::task::spawn_blocking(move || notifier.send_within(&["READY=1"], PATIENCE));
    while !next(&socket).await.ready() {}
    bounded(waits).await.expect("no panic").expect("there was room");
}

#[tokio::test]
async fn a_datagram_that_is_too_long_is_skipped_and_the_longest_is_not() {
    let socket = NotifySocket::bind().expect("a socket");
    let datagram = |length| [b"STATUS=".as_slice(), &vec![b'x'; length]].concat();
    send(&socket, &datagram(64 * 1024 - 6));
    send(&socket, &datagram(64 * 1024 - 7));
    let told = next(&socket).await;
    assert_eq!(told.status().map(str::len), Some(64 * 1024 - 7));
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_datagram() {
    let socket = NotifySocket::bind().expect("a socket");
    let given_up = tokio::time::timeout(Duration::from_millis(10), socket.recv()).await;
    given_up.expect_err("nobody has said anything");
    send(&socket, b"READY=1");
    assert!(next(&socket).await.ready());
}

#[tokio::test]
async fn every_socket_has_a_path_of_its_own_which_goes_with_it() {
    let (one, other) = (NotifySocket::bind().expect("a socket"), NotifySocket::bind().expect("a socket"));
    let path = one.path().to_owned();
    assert_ne!(path, other.path());
    assert!(path.exists());
    drop(one);
    assert!(!path.exists());
    send(&other, b"READY=1");
    assert!(next(&other).await.ready());
}

#[cfg(all(feature = "cli", feature = "daemon", target_os = "linux"))]
#[tokio::test]
async fn what_a_killed_process_left_behind_goes_with_a_later_one() {
    use crate::{folder::Folder, process::line, run::under_run};

    let folder = Folder::new("notify-1");
    let run = || {
        let mut command =
            under_run(&["--watchdog", "1h", "--die-with-parent"], "echo at $NOTIFY_SOCKET; exec sleep 600");
        command.env_remove("XDG_RUNTIME_DIR").env("TMPDIR", folder.path());
        daemon_lifecycle::DaemonCommand::from(command).spawn().expect("the binary starts")
    };
    let places = || {
        let places = std::fs::read_dir(folder.path()).expect("a folder").flatten();
        places.map(|place| place.path()).collect::<Vec<_>>()
    };
    let mut killed = run();
    let left = line(&mut killed, "at ").await;
    killed.signal(daemon_lifecycle::Signal::Kill).expect("a child");
    bounded(killed.wait()).await.expect("a child");
    assert!(std::path::Path::new(&left).exists());
    let made = std::fs::File::open(&places()[0]).expect("a folder");
    let earlier = made.metadata().and_then(|made| made.modified()).expect("a time") - Duration::from_secs(3_600);
    made.set_modified(earlier).expect("our own folder");

    let mut later = run();
    line(&mut later, "at ").await;
    assert!(!std::path::Path::new(&left).exists());
    assert_eq!(places().len(), 1);
    bounded(later.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn python_is_heard_and_what_it_sends_along_is_closed() {
    // The last line waits until nobody holds the other end of the pipe any more.
    let script = "
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
s.send(b'READY=1\\nX_HEARTBEAT_MODEL=llama')
reads, writes = os.pipe()
socket.send_fds(s, [b'BARRIER=1'], [writes])
os.close(writes)
os.read(reads, 1)
";
    let Some((told, output)) = heard("python3", &["-c", script]).await else {
        return skipped("python3");
    };
    assert!(output.status.success(), "{output:?}");
    assert!(told[0].ready());
    assert_eq!(told[0].get("X_HEARTBEAT_MODEL"), Some("llama"));
    assert_eq!(told[1].get("BARRIER"), Some("1"));
}

#[tokio::test]
async fn an_unmodified_systemd_notify_in_a_shell_script_is_heard_and_knows_it() {
    let script = "command -v systemd-notify >/dev/null || exit 127
        set -e
        systemd-notify --status='2 of 3 loaded' X_HEARTBEAT_DONE=2
        systemd-notify --ready --status='all loaded'";
    let (told, output) = heard("sh", &["-c", script]).await.expect("a shell is everywhere");
    if output.status.code() == Some(127) {
        return skipped("systemd-notify");
    }
    // It fails if nobody closes what it sends along.
    assert!(output.status.success(), "{output:?}");
    let status = |status: &str| told.iter().find(|told| told.status() == Some(status)).expect("to be heard");
    assert_eq!(status("2 of 3 loaded").get("X_HEARTBEAT_DONE"), Some("2"));
    assert!(status("all loaded").ready());
}
