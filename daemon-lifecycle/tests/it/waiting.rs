//! Whole waits, against real servers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use daemon_lifecycle::{HealthPoll, PollError, Probe, ProbeFailure, poll_all_until_healthy, poll_until_healthy};
use tokio::net::TcpListener;

use crate::server::{Refusing, Server, health_json, read_request, status};

const MS: Duration = Duration::from_millis(1);
/// Only a test that fails runs into this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks every millisecond.
fn eager(poll: HealthPoll) -> HealthPoll {
    poll.backoff(MS, 1.0).jitter(0.0).max_attempts(u32::MAX).deadline(PATIENCE)
}

fn poll(url: impl Into<String>) -> HealthPoll {
    eager(HealthPoll::new(url))
}

fn pass(instance: &str, pid: u32) -> Vec<u8> {
    let body = format!(r#"{{"status":"pass","instance_id":"{instance}","pid":{pid},"version":"1.2"}}"#);
    health_json("200 OK", "", &body)
}

fn warming(progress: f64) -> Vec<u8> {
    let body = format!(r#"{{"status":"fail","progress":{progress},"checks":{{"model":{{"status":"fail"}}}}}}"#);
    health_json("503 Service Unavailable", "", &body)
}

#[tokio::test]
async fn a_200_whose_health_says_fail_is_not_ready_and_its_words_are_told() {
    let server = Server::by_turns(|turn| match turn {
        1 => health_json(
            "200 OK",
            "",
            r#"{"status":"fail","checks":{"store":[{"status":"fail","output":"disk full"}]}}"#,
        ),
        _ => health_json("200 OK", "", r#"{"status":"warn","notes":["disk nearly full"]}"#),
    })
    .await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let told = Arc::clone(&told);
        move |attempt: &daemon_lifecycle::FailedAttempt<'_>| {
            told.lock().expect("not poisoned").push(attempt.error.to_string());
        }
    };
    let healthy =
        poll_until_healthy(poll(server.url("/")).on_failed_attempt(hook)).await.expect("a warning is healthy");
    assert_eq!(healthy.answer.warning.as_deref(), Some("disk nearly full"));
    let expected = format!("{}: not ready (failed: store (disk full))", server.url("/health"));
    assert_eq!(*told.lock().expect("not poisoned"), [expected]);
}

#[tokio::test]
async fn a_stale_daemon_on_the_port_is_not_taken_for_the_new_one() {
    let server = Server::by_turns(|turn| if turn < 3 { pass("old", 11) } else { pass("new", 22) }).await;
    let probe = || Probe::new(&server.url("/")).expect("a URL");
    let healthy = poll_until_healthy(eager(probe().expect_pid(22).into())).await.expect("the new one comes");
    assert_eq!((healthy.attempts, healthy.answer.pid, healthy.answer.version.as_deref()), (3, Some(22), Some("1.2")));

    let wait = eager(probe().expect_instance("newer").into()).max_attempts(2);
    let error = poll_until_healthy(wait).await.expect_err("that one never comes");
    let report = error.report().expect("attempts");
    assert_eq!(report.outcomes(), [(ProbeFailure::WrongIdentity, 2)]);
    assert!(error.to_string().contains("instance new, expected newer"), "{error}");
    assert!(error.to_string().contains("older daemon"), "{error}");
}

#[tokio::test]
async fn a_healthy_answer_that_names_nobody_is_nobodys() {
    let server = Server::answering(status("200 OK", "ok")).await;
    let error = Probe::new(&server.url("/")).expect("a URL").expect_pid(1).ask().await.expect_err("who was that?");
    assert_eq!((error.kind(), error.detail()), (ProbeFailure::WrongIdentity, Some("no pid in the answer, expected 1")));
    // What is unhealthy is no less so for being anonymous.
    let server = Server::answering(status("503 Service Unavailable", "")).await;
    let error = Probe::new(&server.url("/")).expect("a URL").expect_pid(1).ask().await.expect_err("unhealthy");
    assert_eq!(error.kind(), ProbeFailure::Status(503));
}

#[tokio::test]
async fn the_retry_after_of_a_warming_server_is_waited_for_in_both_forms() {
    for header in
        ["retry-after: 2", "date: Tue, 24 Nov 2026 10:00:00 GMT\r\nretry-after: Tue, 24 Nov 2026 10:00:02 GMT"]
    {
        let answer = health_json("503 Service Unavailable", header, r#"{"status":"fail"}"#);
        let server = Server::answering(answer).await;
        let pauses = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let pauses = Arc::clone(&pauses);
            move |attempt: &daemon_lifecycle::FailedAttempt<'_>| {
                pauses.lock().expect("not poisoned").push(attempt.next_in);
            }
        };
        let wait = poll(server.url("/")).max_attempts(2).on_failed_attempt(hook);
        poll_until_healthy(wait).await.expect_err("never ready");
        assert_eq!(*pauses.lock().expect("not poisoned"), [Some(Duration::from_secs(2)), None], "{header}");
    }
}

#[tokio::test]
async fn a_daemon_whose_progress_grows_is_waited_for_beyond_the_deadline() {
    // Takes 40 attempts of 50 ms each, twice the deadline.
    let server = Server::by_turns(|turn| match turn {
        ..=40 => warming(turn as f64 / 40.0),
        _ => pass("a", 1),
    })
    .await;
    let wait = || HealthPoll::new(server.url("/")).backoff(50 * MS, 1.0).jitter(0.0).deadline(Duration::from_secs(1));
    let healthy = poll_until_healthy(wait().stall_timeout(PATIENCE)).await.expect("it gets there");
    assert!(healthy.attempts > 40 && healthy.elapsed > Duration::from_secs(1), "{healthy:?}");
}

#[tokio::test]
async fn a_daemon_that_stands_still_gets_no_more_time_and_the_error_says_where_it_stands() {
    let server = Server::answering(warming(0.63)).await;
    let wait = eager(HealthPoll::new(server.url("/"))).deadline(200 * MS).stall_timeout(300 * MS);
    let error = poll_until_healthy(wait).await.expect_err("it never gets there");
    assert!(matches!(error, PollError::DeadlineExceeded { .. }), "{error}");
    assert_eq!(error.report().expect("attempts").progress(), Some(0.63));
    assert!(error.to_string().contains("progress 63 %"), "{error}");
}

#[tokio::test]
async fn success_is_wanted_as_often_in_a_row_as_was_said() {
    let server = Server::by_turns(|turn| match turn {
        3 => status("503 Service Unavailable", "flapping"),
        _ => status("200 OK", "ok"),
    })
    .await;
    let healthy = poll_until_healthy(poll(server.url("/")).success_threshold(3)).await.expect("steady in the end");
    assert_eq!(healthy.attempts, 6);
}

#[tokio::test]
async fn the_wait_ends_with_the_first_success_and_asks_no_more() {
    let server = Server::answering(status("200 OK", "ok")).await;
    poll_until_healthy(poll(server.url("/"))).await.expect("healthy");
    tokio::time::sleep(50 * MS).await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn failures_chosen_as_fatal_end_the_wait_at_once() {
    let server = Server::answering(status("404 Not Found", "")).await;
    let wait = poll(server.url("/")).fatal_on(|failure| failure == ProbeFailure::Status(404));
    let error = poll_until_healthy(wait).await.expect_err("wrong endpoint");
    let PollError::Fatal(report) = &error else { panic!("{error}") };
    assert_eq!((report.attempts(), server.requests().len()), (1, 1));
    assert!(error.to_string().contains("wrong endpoint? a url without a path means /health"), "{error}");
}

#[tokio::test]
async fn a_404_that_lasts_ends_the_wait_and_one_that_goes_away_does_not() {
    let server = Server::answering(status("404 Not Found", "no such page")).await;
    let error = poll_until_healthy(poll(server.url("/")).wrong_endpoint_timeout(200 * MS)).await.expect_err("wrong");
    let PollError::Fatal(report) = &error else { panic!("{error}") };
    assert!(report.wrong_endpoint_for() >= Some(200 * MS) && report.attempts() >= 3, "{error}");
    assert!(error.to_string().ends_with("means /health (given up, waiting on would not mend it)"), "{error}");

    let starting = Server::by_turns(|turn| match turn {
        ..10 => status("404 Not Found", ""),
        _ => status("200 OK", "ok"),
    })
    .await;
    let healthy = poll_until_healthy(poll(starting.url("/"))).await.expect("it gets its routes");
    assert_eq!(healthy.attempts, 10);
}

#[tokio::test]
async fn a_bad_url_and_an_unsupported_scheme_are_fatal_at_once() {
    for url in ["nonsense", "ftp://127.0.0.1/", "localhost:80", "exec:true", "tcp://127.0.0.1"] {
        let error = poll_until_healthy(poll(url)).await.expect_err("nothing to ask");
        assert!(matches!(error, PollError::InvalidConfig(_)), "{url}: {error}");
    }
    let error = poll_until_healthy(poll("http://127.0.0.1:9").expect_child()).await.expect_err("no child");
    assert!(matches!(error, PollError::InvalidConfig(_)), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_asked_for_again() {
    // RFC 6761 reserves `invalid` never to resolve.
    let error = poll_until_healthy(poll("http://daemon.invalid/").max_attempts(2)).await.expect_err("nobody");
    assert_eq!(error.report().expect("attempts").outcomes(), [(ProbeFailure::Dns, 2)]);
    assert!(error.to_string().contains("name never resolved"), "{error}");
}

#[tokio::test]
async fn the_error_of_a_wait_names_target_elapsed_attempts_outcomes_and_addresses() {
    let refusing = Refusing::new();
    let url = format!("http://localhost:{}/readyz", refusing.address.port());
    let error = poll_until_healthy(poll(&url).max_attempts(3)).await.expect_err("nobody is there");
    let message = error.to_string();
    assert!(message.starts_with(&format!("{url} not healthy after 3 attempts in ")), "{message}");
    assert!(message.contains(": 3 x connection refused"), "{message}");
    let report = error.report().expect("attempts");
    assert_eq!(report.recent().map(|past| past.number).collect::<Vec<_>>(), [1, 2, 3]);
    let addresses = report.last().expect("an attempt").addresses();
    assert!(addresses.iter().any(|failure| failure.address == refusing.address), "{addresses:?}");
    assert!(addresses.iter().all(|failure| failure.error.is_some()), "{addresses:?}");
}

#[tokio::test]
async fn several_daemons_are_waited_for_at_once_until_all_are_healthy() {
    let both_asked = Arc::new(AtomicUsize::new(0));
    let server = async || {
        let both_asked = Arc::clone(&both_asked);
        // Neither is ready before the other has been asked too.
        Server::by_turns(move |turn| {
            both_asked.fetch_add(usize::from(turn == 1), Ordering::SeqCst);
            let ready = both_asked.load(Ordering::SeqCst) == 2;
            if ready { status("200 OK", "ok") } else { status("503 Service Unavailable", "") }
        })
        .await
    };
    let (first, second) = (server().await, server().await);
    let urls = [first.url("/health"), second.url("/health")];
    let healthy = poll_all_until_healthy(urls.clone().map(poll)).await.expect("both get ready");
    assert_eq!(healthy.iter().map(|healthy| &healthy.url).collect::<Vec<_>>(), [&urls[0], &urls[1]]);
}

#[tokio::test]
async fn one_daemon_that_is_given_up_ends_the_wait_for_all_and_each_is_reported() {
    let ready = Server::answering(status("200 OK", "ok")).await;
    let loading = Server::answering(status("503 Service Unavailable", "loading")).await;
    let missing = Server::answering(status("404 Not Found", "")).await;
    let polls = [poll(ready.url("/")), poll(loading.url("/")), poll(missing.url("/")).max_attempts(20)];
    let error = poll_all_until_healthy(polls).await.expect_err("one is missing");
    let [ready, loading, missing] = error.outcomes() else { panic!("{error}") };
    assert_eq!(ready.as_ref().expect("healthy").attempts, 1);
    let PollError::CutShort(report) = loading.as_ref().expect_err("still loading") else { panic!("{loading:?}") };
    assert!(report.attempts() > 0);
    assert!(matches!(missing, Err(PollError::AttemptsExhausted(_))), "{missing:?}");
    assert_eq!(error.to_string().lines().count(), 2, "{error}");
}

#[tokio::test]
async fn one_deadline_ends_the_wait_for_all() {
    let refusing = [Refusing::new(), Refusing::new()];
    let polls = refusing.iter().map(|refusing| poll(refusing.url()).deadline(300 * MS));
    let error = poll_all_until_healthy(polls).await.expect_err("nobody is there");
    assert!(error.outcomes().iter().any(|outcome| matches!(outcome, Err(PollError::DeadlineExceeded { .. }))));
}

#[tokio::test]
async fn nobody_is_asked_if_one_of_the_polls_makes_no_sense() {
    let server = Server::answering(status("200 OK", "ok")).await;
    let polls = [poll(server.url("/")), poll("nonsense")];
    let error = poll_all_until_healthy(polls).await.expect_err("nonsense");
    assert!(matches!(error.outcomes(), [Err(PollError::CutShort(_)), Err(PollError::InvalidConfig(_))]), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_wait_that_is_dropped_asks_no_more_and_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut wait = Box::pin(poll_until_healthy(poll(url).attempt_timeout(PATIENCE)));
    let mut asked = tokio::select! {
        _ = &mut wait => panic!("nobody answered"),
        accepted = listener.accept() => accepted.expect("a connection").0,
    };
    drop(wait);
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut asked, &mut rest);
    tokio::time::timeout(PATIENCE, read).await.expect("the connection is closed").ok();
    assert!(tokio::time::timeout(50 * MS, listener.accept()).await.is_err(), "nobody asks again");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn probes_leave_no_ports_of_theirs_behind() {
    const PROBES: usize = 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        for _ in 0..PROBES {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            read_request(&mut stream).await.expect("a request");
            tokio::io::AsyncWriteExt::write_all(&mut stream, &status("200 OK", "ok")).await.expect("a client");
            // A server takes its time to close.
            tokio::time::sleep(10 * MS).await;
        }
    });
    for _ in 0..PROBES {
        Probe::new(&format!("http://{address}")).expect("a URL").ask().await.expect("healthy");
    }
    serving.await.expect("all were asked");
    let port = format!("{:04X}", address.port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("a table of sockets");
    let waiting = sockets.lines().skip(1).filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        const TIME_WAIT: &str = "06";
        fields[2].ends_with(&port) && fields[3] == TIME_WAIT
    });
    // Where the machine is so slow that a server does not get to close in time, a probe does.
    assert!(waiting.count() < PROBES / 2, "the prober's sockets are left in TIME_WAIT");
}
