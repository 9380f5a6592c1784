use std::time::Duration;

use daemon_lifecycle::{
    HealthPoll, HealthPollConfig, PollError, Probe, ProbeError, ProbeFailure, is_daemon_healthy, poll_until_healthy,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::server::{Refusing, Server, read_request, status};

/// Long enough that only a probe that hangs runs into it.
const PATIENT: Option<Duration> = Some(Duration::from_secs(30));
/// For probes that are meant to time out.
const SHORT: Option<Duration> = Some(Duration::from_secs(2));

async fn ask(url: &str) -> Result<(), ProbeError> {
    is_daemon_healthy(url, None, PATIENT).await
}

async fn failure(url: &str) -> ProbeFailure {
    ask(url).await.expect_err("an unhealthy daemon").kind()
}

#[tokio::test]
async fn redirect_404_503_and_refused_are_told_apart() {
    let healthy = Server::answering(status("200 OK", "ok")).await;
    ask(&healthy.url("/")).await.expect("200 is healthy");

    let no_content = Server::answering(status("204 No Content", "")).await;
    ask(&no_content.url("/")).await.expect("204 is healthy");

    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", healthy.url("/"));
    let redirecting = Server::answering(redirect).await;
    let error = ask(&redirecting.url("/")).await.expect_err("redirects are not followed");
    assert_eq!(error.kind(), ProbeFailure::Redirect(302));
    assert!(error.to_string().contains(&healthy.url("/")), "names the location: {error}");
    assert_eq!(healthy.requests().len(), 1, "the redirect was not followed");

    let missing = Server::answering(status("404 Not Found", "")).await;
    assert_eq!(failure(&missing.url("/")).await, ProbeFailure::Status(404));

    let unready = Server::answering(status("503 Service Unavailable", "failed: store\n(disk full)")).await;
    let error = ask(&unready.url("/")).await.expect_err("503 is not healthy");
    assert_eq!(error.kind(), ProbeFailure::Status(503));
    assert_eq!(error.detail(), Some("failed: store (disk full)"));

    assert_eq!(failure(&Refusing::new().url()).await, ProbeFailure::Refused);
}

#[tokio::test]
async fn garbage_a_hang_up_and_half_an_answer_are_told_apart() {
    let garbage = Server::answering("220 mail.example ESMTP\r\n\r\n").await;
    assert_eq!(failure(&garbage.url("/")).await, ProbeFailure::Protocol);

    let hang_up = Server::answering("").await;
    assert_eq!(failure(&hang_up.url("/")).await, ProbeFailure::Reset);

    let half = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    assert_eq!(failure(&half.url("/")).await, ProbeFailure::Reset);
}

#[tokio::test]
async fn a_server_that_takes_the_connection_and_says_nothing_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let error = is_daemon_healthy(&url, None, SHORT).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ProbeFailure::Timeout);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_nobody_takes_is_a_timeout_of_its_own_kind() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // With its queue full, the kernel drops whatever else wants in, as a firewall would.
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500));
    let mut queued = Vec::new();
    let mut failures = 0;
    // One failure may be a starved machine; several in a row are a full queue.
    while failures < 3 {
        match connect() {
            Ok(connection) => {
                queued.push(connection);
                failures = 0;
            }
            Err(_) => failures += 1,
        }
    }
    assert!(!queued.is_empty());
    let error = is_daemon_healthy(&format!("http://{address}"), None, SHORT).await.expect_err("nobody accepts");
    assert_eq!(error.kind(), ProbeFailure::ConnectTimeout);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_apart() {
    // RFC 6761 reserves `invalid` never to resolve; a resolver that is out of reach says so late or not at all.
    let kind = failure("http://daemon.invalid/").await;
    assert!(matches!(kind, ProbeFailure::Dns | ProbeFailure::ConnectTimeout), "{kind}");
}

#[tokio::test]
async fn the_path_asked_for_is_the_path_sent() {
    let server = Server::answering(status("200 OK", "")).await;
    for (url, path) in [("", None), ("/readyz?a", None), ("/readyz?a", Some("/livez")), ("", Some("/x?y"))] {
        is_daemon_healthy(&server.url(url), path, PATIENT).await.expect("healthy");
    }
    let paths = ["/health", "/readyz?a", "/livez", "/x?y"];
    assert_eq!(server.requests(), paths.map(|path| format!("GET {path} HTTP/1.1")));
}

#[tokio::test]
async fn a_body_is_read_up_to_a_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await.expect("a request");
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
        answer.resize(200_000, b'x');
        stream.write_all(&answer).await.ok();
        // The rest never comes; whoever wants it waits in vain.
        stream.read_u8().await.expect_err("the client hangs up");
    });
    is_daemon_healthy(&url, None, Some(Duration::from_secs(10))).await.expect("the status says it all");
    serving.await.expect("the server saw the client go");
}

#[tokio::test]
async fn localhost_works_against_a_server_on_v4_only() {
    let server = Server::answering(status("200 OK", "")).await;
    let url = format!("http://localhost:{}", server.address.port());
    ask(&url).await.expect("one of the addresses of localhost answers");
}

#[tokio::test]
async fn a_probe_connects_to_none_but_admitted_addresses() {
    let server = Server::answering(status("204 No Content", "")).await;
    let port = server.address.port();
    let named = format!("http://localhost:{port}");
    let wrapped = format!("http://[::ffff:127.0.0.1]:{port}");
    for url in [&server.url(""), &named, &wrapped] {
        let probe = || Probe::new(url).expect("a URL").timeout(Duration::from_secs(30));
        let error = probe().only_to(|_| false).ask().await.expect_err("nobody is admitted");
        assert_eq!(error.kind(), ProbeFailure::NotAdmitted, "{url}");
        assert!(error.detail().expect("the addresses").contains("127.0.0.1"), "{error}");
    }
    assert_eq!(server.requests().len(), 0);
    for url in [&server.url(""), &named, &wrapped] {
        let probe = Probe::new(url).expect("a URL").timeout(Duration::from_secs(30));
        let answer = probe.only_to(|address| address == std::net::Ipv4Addr::LOCALHOST).ask().await;
        assert_eq!(answer.expect("the admitted address answers").status, Some(204), "{url}");
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_apart_also_when_addresses_are_checked() {
    let probe = Probe::new("http://nowhere.invalid").expect("a URL").timeout(Duration::from_secs(30));
    let error = probe.only_to(|_| true).ask().await.expect_err("`invalid` holds no names");
    assert_eq!(error.kind(), ProbeFailure::Dns);
}

#[tokio::test]
async fn an_unusable_url_is_refused_without_asking() {
    for url in ["localhost:8080", "ftp://127.0.0.1/", "not a url", ""] {
        assert_eq!(failure(url).await, ProbeFailure::InvalidUrl, "{url}");
    }
}

#[tokio::test]
async fn a_daemon_in_doubt_is_asked_once_for_its_health_within_the_time_given() {
    let server = Server::answering(status("200 OK", "ok")).await;
    is_daemon_healthy(&server.url(""), None, Some(Duration::from_secs(5))).await.expect("healthy");
    assert_eq!(server.requests(), ["GET /health HTTP/1.1"]);
}

#[test]
fn ten_attempts_from_200_ms_by_half_as_much_again_each_time_wait_for_15_s() {
    let poll = HealthPoll::from(HealthPollConfig {
        url: "http://127.0.0.1:8500".to_owned(),
        max_attempts: 10,
        initial_delay_ms: 200,
        backoff_multiplier: 1.5,
    });
    let mut jittered: Vec<f64> =
        (0..10_000).map(|seed| poll.clone().seed(seed).delays().sum::<Duration>().as_secs_f64()).collect();
    jittered.sort_by(f64::total_cmp);
    assert_eq!((jittered.iter().sum::<f64>() / 10_000.0).round(), 15.0);
    // All but one in a hundred.
    assert!((5.0..6.0).contains(&jittered[50]) && (24.0..25.0).contains(&jittered[9_950]));
    let delays: Vec<Duration> = poll.jitter(0.0).delays().collect();
    let in_millis: Vec<u128> = delays.iter().map(Duration::as_millis).collect();
    assert_eq!(in_millis, [200, 300, 450, 675, 1_012, 1_518, 2_278, 3_417, 5_125]);
    assert_eq!(delays.iter().sum::<Duration>().as_secs_f64().round(), 15.0);
}

#[test]
fn a_poll_of_which_only_the_url_is_said_makes_30_attempts_from_100_ms_of_2_s_each() {
    let HealthPollConfig { max_attempts, initial_delay_ms, backoff_multiplier, .. } = HealthPollConfig::default();
    assert_eq!((max_attempts, initial_delay_ms, backoff_multiplier), (30, 100, 1.5));
    let shown = format!("{:?}", HealthPoll::new("http://127.0.0.1:8500"));
    assert!(shown.contains("attempt_timeout: 2s"), "{shown}");
}

#[tokio::test]
async fn polling_goes_on_until_the_daemon_is_ready() {
    let server = Server::by_turns(|turn| match turn {
        1 => Vec::new(),
        2 => status("404 Not Found", ""),
        3 => status("503 Service Unavailable", "loading"),
        _ => status("200 OK", "ok"),
    })
    .await;
    let healthy = poll_until_healthy(HealthPollConfig {
        url: server.url(""),
        max_attempts: 10,
        initial_delay_ms: 1,
        backoff_multiplier: 1.0,
    })
    .await
    .expect("ready at the fourth attempt");
    assert_eq!(healthy.attempts, 4);
    assert_eq!(healthy.url, server.url("/health"));
    assert_eq!(server.requests(), ["GET /health HTTP/1.1"; 4]);
}

#[tokio::test]
async fn a_poll_that_gave_up_says_what_it_saw() {
    let server = Server::by_turns(|turn| match turn {
        1 => Vec::new(),
        _ => status("503 Service Unavailable", "loading, 63 %"),
    })
    .await;
    let config =
        HealthPollConfig { url: server.url("/readyz"), max_attempts: 3, initial_delay_ms: 1, backoff_multiplier: 1.0 };
    let error = poll_until_healthy(config).await.expect_err("never ready");
    let PollError::AttemptsExhausted(report) = &error else {
        panic!("{error}");
    };
    assert_eq!(report.outcomes(), [(ProbeFailure::Reset, 1), (ProbeFailure::Status(503), 2)]);
    let message = error.to_string();
    assert!(message.starts_with(&format!("{} not healthy after 3 attempts in ", server.url("/readyz"))), "{message}");
    let end = ": 1 x connection closed early, 2 x status 503; last: status 503 (loading, 63 %)";
    assert!(message.ends_with(end), "{message}");
}

#[tokio::test]
async fn a_poll_against_nobody_ends_at_its_deadline() {
    let refusing = Refusing::new();
    let poll = HealthPoll::new(refusing.url()).deadline(Duration::from_secs(1));
    let error = poll_until_healthy(poll).await.expect_err("nobody is there");
    assert!(matches!(error, PollError::DeadlineExceeded { .. }), "{error}");
    assert!(error.to_string().contains(" x connection refused"), "{error}");
}
