//! What liveness probes do to a daemon's connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use daemon_lifecycle::{
    Daemon, EndCause, Liveness, Probe, ProbeFailure, RestartPolicy, Supervision, SupervisionEnd, Supervisor,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    task::JoinSet,
};

use crate::{
    folder::Folder,
    process::{PATIENCE, bounded},
    server::status,
};

const MS: Duration = Duration::from_millis(1);
const PROBES: usize = 5;

/// What a server does with a request.
enum Reply {
    AndStay(Vec<u8>),
    AndHangUp(Vec<u8>),
}

/// How often a server was connected to and asked.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn until_asked(&self, times: usize) {
        while self.requests() < times {
            tokio::time::sleep(MS).await;
        }
    }
}

/// Serves one connection; `reply` is told which request of all this is, from 1 on.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen, reply: impl Fn(usize) -> Reply) {
    seen.connections.fetch_add(1, Ordering::SeqCst);
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let reply = reply(seen.requests.fetch_add(1, Ordering::SeqCst) + 1);
        let (Reply::AndStay(answer) | Reply::AndHangUp(answer)) = &reply;
        // A client that does not want the whole answer may hang up.
        stream.write_all(answer).await.ok();
        if matches!(reply, Reply::AndHangUp(_)) {
            stream.shutdown().await.ok();
            return;
        }
    }
}

/// A server on TCP, and the URL of it.
async fn server(reply: impl Fn(usize) -> Reply + Clone + Send + Sync + 'static) -> (String, Arc<Seen>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/livez", listener.local_addr().expect("an address"));
    let seen: Arc<Seen> = Arc::default();
    let mut serving = JoinSet::new();
    let of_server = Arc::clone(&seen);
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (seen, reply) = (Arc::clone(&of_server), reply.clone());
            connections.spawn(async move { serve(stream, &seen, reply).await });
        }
    });
    (url, seen, serving)
}

/// A daemon that is watched closely, and lost with the first probe that fails.
fn watch(probe: Probe) -> Supervision {
    let liveness = Liveness { pause: MS, failures: 1, ..Liveness::new(probe) };
    let daemon = Supervisor::new(|| Daemon::command("sleep").args(["600"]));
    daemon.restart(RestartPolicy::Never).stop_grace(PATIENCE).liveness(liveness).spawn()
}

fn probe(url: &str) -> Probe {
    Probe::new(url).expect("a URL").timeout(PATIENCE)
}

/// Until it has been asked often enough, with a healthy answer each time.
async fn expect_alive(probe: Probe, seen: &Seen) {
    let supervision = watch(probe);
    tokio::select! {
        end = bounded(supervision.over()) => panic!("a probe failed: {end}"),
        () = seen.until_asked(PROBES) => {}
    }
    bounded(supervision.stop()).await;
}

/// The failure of the first probe that failed.
async fn lost(probe: Probe) -> ProbeFailure {
    let end = bounded(watch(probe).over()).await;
    let SupervisionEnd::Over(run) = &*end else { panic!("{end}") };
    match &run.cause {
        EndCause::Unhealthy(error) => error.kind(),
        other => panic!("{other}"),
    }
}

/// With nothing that asks to close the connection.
fn answer(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_liveness_probe_keeps_its_connection() {
    let (url, seen, _serving) = server(|_| Reply::AndStay(answer("alive"))).await;
    expect_alive(probe(&url), &seen).await;
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn a_liveness_probe_keeps_its_connection_over_a_unix_socket() {
    let folder = Folder::new("liveness");
    let path = folder.path().join("d.sock");
    let listener = UnixListener::bind(&path).expect("a new socket");
    let seen: Arc<Seen> = Arc::default();
    let of_server = Arc::clone(&seen);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &of_server, |_| Reply::AndStay(answer("alive"))).await;
        }
    });
    let encoded = path.to_str().expect("a readable path").replace('/', "%2F");
    expect_alive(probe(&format!("http+unix://{encoded}/livez")), &seen).await;
    assert_eq!(seen.connections(), 1);
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_liveness_probe_keeps_its_connection_over_tls() {
    let (authority, config) = crate::tls::certified(&["localhost"]);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://localhost:{}/livez", listener.local_addr().expect("an address").port());
    let seen: Arc<Seen> = Arc::default();
    let of_server = Arc::clone(&seen);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.expect("a client that trusts us");
            serve(stream, &of_server, |_| Reply::AndStay(answer("alive"))).await;
        }
    });
    let tls = daemon_lifecycle::Tls::trusting(authority.as_bytes()).expect("a certificate");
    expect_alive(probe(&url).tls(tls), &seen).await;
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn a_daemon_that_takes_no_new_connections_is_found_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/livez", listener.local_addr().expect("an address"));
    let seen: Arc<Seen> = Arc::default();
    let of_server = Arc::clone(&seen);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        drop(listener);
        serve(stream, &of_server, |_| Reply::AndStay(answer("alive"))).await;
    });
    assert_eq!(lost(probe(&url)).await, ProbeFailure::Refused);
    assert_eq!((seen.connections(), seen.requests()), (1, 30));
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_costs_no_failed_probe() {
    let (url, seen, _serving) = server(|_| Reply::AndHangUp(answer("alive"))).await;
    expect_alive(probe(&url), &seen).await;
    assert!(seen.connections() >= PROBES, "{}", seen.connections());
}

#[tokio::test]
async fn a_server_that_hangs_up_when_it_is_asked_again_costs_no_failed_probe() {
    // Each connection answers once, so every other request is for nothing.
    let (url, seen, _serving) = server(|request| match request % 2 {
        1 => Reply::AndStay(answer("alive")),
        _ => Reply::AndHangUp(Vec::new()),
    })
    .await;
    expect_alive(probe(&url), &seen).await;
    assert!(seen.connections() > 1, "{}", seen.connections());
}

#[tokio::test]
async fn a_probe_that_fails_over_a_new_connection_too_has_failed() {
    let (url, seen, _serving) = server(|request| match request {
        1 => Reply::AndStay(answer("alive")),
        _ => Reply::AndHangUp(Vec::new()),
    })
    .await;
    assert_eq!(lost(probe(&url)).await, ProbeFailure::Reset);
    assert_eq!((seen.connections(), seen.requests()), (2, 3));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_over_a_kept_connection_too() {
    let (url, seen, _serving) = server(|request| match request {
        1 => Reply::AndStay(answer("alive")),
        _ => Reply::AndHangUp(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
    })
    .await;
    assert_eq!(lost(probe(&url)).await, ProbeFailure::Reset);
    assert_eq!((seen.connections(), seen.requests()), (1, 2));
}

#[tokio::test]
async fn a_daemon_that_hangs_is_not_asked_twice() {
    let (url, seen, _serving) = server(|request| match request {
        1 => Reply::AndStay(answer("alive")),
        _ => Reply::AndStay(Vec::new()),
    })
    .await;
    assert_eq!(lost(probe(&url).timeout(1_000 * MS)).await, ProbeFailure::Timeout);
    assert_eq!((seen.connections(), seen.requests()), (1, 2));
}

#[tokio::test]
async fn a_server_that_says_it_will_close_is_asked_over_a_new_connection() {
    // It never does close; who goes by what it said asks anew all the same.
    let (url, seen, _serving) = server(|_| Reply::AndStay(status("200 OK", "alive"))).await;
    expect_alive(probe(&url), &seen).await;
    assert!(seen.connections() >= seen.requests(), "{} for {}", seen.connections(), seen.requests());
}

#[tokio::test]
async fn a_body_beyond_the_limit_leaves_no_half_an_answer_for_the_next_probe() {
    let long = "x".repeat(200 * 1024);
    let (url, seen, _serving) = server(move |_| Reply::AndStay(answer(&long))).await;
    expect_alive(probe(&url), &seen).await;
    assert!(seen.connections() >= seen.requests(), "{} for {}", seen.connections(), seen.requests());
}

#[tokio::test]
async fn what_a_server_says_unasked_is_no_answer() {
    // As servers do that tell an idle client that its time is up.
    let unasked = "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (url, seen, _serving) = server(move |_| Reply::AndHangUp([answer("alive"), unasked.into()].concat())).await;
    expect_alive(probe(&url), &seen).await;
    assert!(seen.connections() >= PROBES, "{}", seen.connections());
}

#[tokio::test]
async fn each_start_up_poll_has_a_connection_of_its_own() {
    let (url, seen, _serving) = server(|request| match request {
        ..5 => Reply::AndStay(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_vec()),
        _ => Reply::AndStay(answer("alive")),
    })
    .await;
    let poll = daemon_lifecycle::HealthPoll::from(probe(&url)).backoff(MS, 1.0);
    daemon_lifecycle::poll_until_healthy(poll).await.expect("healthy at last");
    assert_eq!((seen.connections(), seen.requests()), (5, 5));
}
