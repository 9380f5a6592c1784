//! What whoever started a supervisor hears of it.

use std::time::Duration;

use daemon_lifecycle::{Notification, Notifier, NotifySocket, RestartPolicy, SupervisorEvent};

use crate::{
    process::{PATIENCE, bounded},
    supervise::{MS, supervisor},
};

async fn next(socket: &NotifySocket) -> Notification {
    bounded(socket.recv()).await.expect("a socket")
}

#[tokio::test]
async fn whoever_started_the_supervisor_hears_how_the_daemon_fares() {
    let outer = NotifySocket::bind().expect("a socket");
    let notifier = Notifier::new(outer.path()).expect("an address");
    let supervision = supervisor("sleep 0.1; echo up; exec sleep 600")
        .ready_on_line(|line| line.text == "up")
        .notifier(notifier)
        .spawn();
    let started = next(&outer).await;
    assert_eq!((started.extend_timeout(), started.ready()), (Some(Duration::from_secs(30)), false));
    assert!(started.status().is_some_and(|status| status.starts_with("run 1: started, pid ")), "{started:?}");
    let ready = next(&outer).await;
    assert_eq!((ready.extend_timeout(), ready.ready()), (None, true));
    bounded(supervision.restart(1, "for\nthe test")).await;
    let again = loop {
        let told = next(&outer).await;
        assert!(!(told.ready() || told.stopping() || told.extend_timeout().is_some()), "{told:?}");
        if told.status().is_some_and(|status| status.starts_with("run 2: ready")) {
            break told;
        }
    };
    assert!(!again.ready(), "said once");
    bounded(supervision.stop()).await;
    let stopping = next(&outer).await;
    assert_eq!((stopping.stopping(), stopping.status()), (true, Some("run 2: stopping: as asked")));
    let end = next(&outer).await;
    assert_eq!((end.stopping(), end.status()), (false, Some("run 2: ended (signal: 15 (SIGTERM)), as asked")));
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_told_in_one_line() {
    for (limit, expected) in [
        (Some(0), "given up after 0 restarts in a row: run 1: ended (exit status: 4), by itself"),
        (None, "run 1: ended (exit status: 4), by itself"),
    ] {
        let outer = NotifySocket::bind().expect("a socket");
        let notifier = Notifier::new(outer.path()).expect("an address");
        let policy = if limit.is_some() { RestartPolicy::Always } else { RestartPolicy::Never };
        let supervisor = supervisor("echo no licence; exit 4").restart(policy).restart_limit(limit);
        let supervision = supervisor.notifier(notifier).spawn();
        bounded(supervision.over()).await;
        let mut status = None;
        loop {
            let told = next(&outer).await;
            status = told.status().map(str::to_owned).or(status);
            if told.stopping() {
                break;
            }
        }
        assert_eq!(status.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_supervision_that_is_stuck_says_no_longer_that_it_is_alive() {
    let outer = NotifySocket::bind().expect("a socket");
    let notifier = Notifier::new(outer.path()).expect("an address").watchdog_every(10 * MS);
    let (entered, is_stuck) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    // Of its own: who blocks a thread of a runtime may hold up all of it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let supervised = runtime.enter();
    let supervision = supervisor("exec sleep 600")
        .notifier(notifier)
        .on_event(move |event| {
            if matches!(event, SupervisorEvent::Stopping { run: 1, .. }) {
                entered.send(()).expect("the test waits");
                released.recv_timeout(PATIENCE).expect("to be released");
            }
        })
        .spawn();
    drop(supervised);
    while !next(&outer).await.watchdog() {}
    while !next(&outer).await.watchdog() {}
    bounded(supervision.restart(1, "to be stuck")).await;
    is_stuck.recv_timeout(PATIENCE).expect("to be stuck");
    // What was told before.
    for _ in 0..500 {
        if tokio::time::timeout(20 * MS, outer.recv()).await.is_err() {
            break;
        }
    }
    tokio::time::timeout(50 * MS, outer.recv()).await.expect_err("it is stuck");
    release.send(()).expect("it waits");
    while !next(&outer).await.watchdog() {}
    bounded(supervision.stop()).await;
    runtime.shutdown_background();
}

#[cfg(all(feature = "cli", target_os = "linux"))]
#[tokio::test]
async fn systemd_hears_all_that_it_wants_to_hear_of_a_service() {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    };

    use daemon_lifecycle::{DaemonCommand, Signal};

    use crate::{
        process::line,
        run::{code, under_run},
    };

    let name = format!("daemon-lifecycle-test-{}", std::process::id());
    let outer = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("a socket");
    outer.set_nonblocking(true).expect("a socket");
    let outer = tokio::net::UnixDatagram::from_std(outer).expect("a socket");
    let next = async || {
        let mut datagram = vec![0; 64 * 1024];
        let length = bounded(outer.recv(&mut datagram)).await.expect("a datagram");
        Notification::parse(&datagram[..length])
    };

    let mut service = under_run(&["--ready-line", "up"], "sleep 0.1; echo \"up $WATCHDOG_USEC.\"; exec sleep 600");
    service.env("NOTIFY_SOCKET", format!("@{name}")).env("WATCHDOG_USEC", "40000");
    // Set on purpose, they are inherited.
    let mut service = DaemonCommand::from(service).spawn().expect("the binary starts");
    let starting = next().await;
    assert!(starting.watchdog() && !starting.ready(), "{starting:?}");
    let mut extended = starting.extend_timeout().is_some();
    let (mut pings, mut ready) = (0, false);
    while !(ready && pings >= 5) {
        let told = next().await;
        assert!(!told.stopping());
        extended |= told.extend_timeout().is_some();
        ready |= told.ready();
        pings += u32::from(told.watchdog());
    }
    assert!(extended);
    assert_eq!(line(&mut service, "up ").await, ".", "the command is told nothing of that");
    service.signal(Signal::Terminate).expect("a child");
    while !next().await.stopping() {}
    assert_eq!(code(&mut service).await, Some(143));
}
