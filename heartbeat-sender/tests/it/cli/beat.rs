//! `heartbeat-sender beat`.

use std::io::Write;
use std::pin::pin;
use std::process::{Output, Stdio};

use heartbeat_contract::{HealthStatus, WorkerStatus};

use super::{binary, code, text};
use crate::registry::{ACK, Registry, Request};

/// Sends a beat to a registry that answers so; tells what it heard, and what the binary did.
async fn exchange(args: &[&str], stdin: &str, status: &'static str, answer: &'static str) -> (Request, Output) {
    let registry = Registry::listen().await;
    let mut child = binary()
        .arg("beat")
        .args(["--registry", &registry.url])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let (mut connection, request) = registry.hear().await;
    connection.answer(status, "content-type: application/json\r\n", answer).await;
    (request, tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap())
}

#[tokio::test]
async fn one_beat_of_flags_goes_out_and_its_ack_is_printed() {
    let args = ["--id", "w-1", "--status", "busy", "--queue-depth", "7", "--metric", "tokens=1.5", "--interval", "10s"];
    let (request, output) = exchange(&[&args[..], &["--output", "json"]].concat(), "", "200 OK", ACK).await;
    let worker = request.worker();
    assert_eq!(
        (worker.worker_id.as_str(), worker.status, worker.queue_depth),
        ("w-1", Some(WorkerStatus::Busy), Some(7))
    );
    assert_eq!((worker.metrics.unwrap()["tokens"], worker.beat.unwrap().interval_ms), (1.5, Some(10_000)));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let ack: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&ack["acknowledged"], &ack["next_in_ms"]), (&true.into(), &100.into()));
}

#[tokio::test]
async fn an_ack_is_a_table_a_document_or_a_line() {
    let drain =
        r#"{"acknowledged":true,"server_time":"2026-01-02T03:04:05.678Z","next_in_ms":1500,"directives":["drain"]}"#;
    let printed = async |output| {
        let (_, output) = exchange(&["--id", "w-1", "--output", output], "", "200 OK", drain).await;
        text(&output.stdout)
    };
    let table = "acknowledged  yes\nat            2026-01-02T03:04:05.678Z\nnext beat in  1.5 s\nasked for     drain\n";
    assert_eq!(printed("table").await, table);
    assert_eq!(printed("jsonl").await, format!("{drain}\n"));
    let document = printed("json").await;
    assert!(document.lines().count() > 1, "{document}");
    let [document, line] = [&*document, drain].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
    assert_eq!(document, line);
}

#[tokio::test]
async fn a_beat_from_standard_input_is_overwritten_by_flags() {
    let stdin = r#"{"worker_id": "w-1", "queue_depth": 3, "status": "idle", "beat": {"zone": "rack-1"}}"#;
    let (request, output) =
        exchange(&["--stdin", "--health", "degraded", "--queue-depth", "4"], stdin, "200 OK", ACK).await;
    let worker = request.worker();
    assert_eq!((worker.queue_depth, worker.status), (Some(4), Some(WorkerStatus::Idle)));
    assert_eq!(worker.health_status, Some(HealthStatus::Degraded));
    assert_eq!(worker.beat.unwrap().zone.unwrap().as_str(), "rack-1");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_hive_beats_at_its_own_path_and_a_goodbye_says_why() {
    let (request, _) = exchange(&["--kind", "hive", "--id", "h-1", "--leaving", "moved"], "", "200 OK", ACK).await;
    assert!(request.head.starts_with("post /v1/hive-heartbeat "), "{}", request.head);
    assert!(text(&request.body).contains(r#""leaving":"moved""#));
}

#[tokio::test]
async fn a_kind_of_ones_own_beats_at_its_own_path_with_fields_of_its_own() {
    let stdin = r#"{"job_id": "j-0", "step": 1.50, "status": "boiling", "metadata": {"team": "ml"}}"#;
    let args = ["--kind", "job", "--id", "j-1", "--stdin", "--queue-depth", "7", "--zone", "rack-1"];
    let (request, output) = exchange(&args, stdin, "200 OK", ACK).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(request.head.starts_with("post /v1/job-heartbeat "), "{}", request.head);
    let told = text(&request.body);
    let expected =
        r#""job_id":"j-1","metadata":{"team": "ml"},"queue_depth":7,"status":"boiling","step":1.50,"timestamp":"#;
    assert!(told.starts_with(&(r#"{"beat":{"zone":"rack-1"},"#.to_owned() + expected)), "{told}");
}

#[tokio::test]
async fn of_a_kind_of_ones_own_what_the_contract_has_for_every_kind_is_checked() {
    for (stdin, expected) in [
        (r#"{"job_id": "j 1"}"#, "job_id: ' ' is not allowed in an id"),
        (r#"{"worker_id": "w"}"#, "who beats? --id is missing"),
        (r#"{"job_id": "j", "metrics": {"tokens": "many"}}"#, "metrics.tokens: invalid type"),
        (r#"{"job_id": "j", "beat": {"interval_ms": 7}}"#, "beat.interval_ms: "),
        (r#"["job_id"]"#, "standard input is no JSON object: "),
    ] {
        let mut command = binary();
        command.args(["beat", "--kind", "job", "--stdin"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stdin}: {told}");
        assert!(told.contains(expected), "{stdin}: {told}");
    }
}

#[tokio::test]
async fn exit_codes_tell_refused_unauthorized_and_unreachable_apart() {
    for (status, expected) in
        [("422 Unprocessable Entity", 1), ("401 Unauthorized", 4), ("403 Forbidden", 4), ("503 Service Unavailable", 5)]
    {
        let (_, output) = exchange(&["--id", "w-1"], "", status, "{}").await;
        assert_eq!(output.status.code(), Some(expected), "{status}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{status}");
    }
    assert_eq!(code(&["beat", "--id", "w-1"]), Some(5), "nobody listens there");
}

#[tokio::test]
async fn what_went_wrong_on_the_way_is_told_once() {
    let told = text(&super::give(&["beat", "--id", "w-1"]).stderr);
    let cause = "cannot connect to http://127.0.0.1:1: tcp connect error: Connection refused (os error ";
    assert!(told.starts_with(&format!("heartbeat-sender: {cause}")), "{told}");

    let registry = Registry::listen().await;
    let url = registry.url.clone();
    let sent = tokio::task::spawn_blocking(move || super::give(&["beat", "--id", "w-1", "--registry", &url]));
    drop(registry.hear().await);
    let told = text(&sent.await.unwrap().stderr);
    let cause = "the connection was lost before the answer: connection closed before message completed";
    assert_eq!(told.trim_end(), format!("heartbeat-sender: {cause}"));
}

#[tokio::test]
async fn a_registry_that_does_not_know_the_kind_is_told_as_that() {
    let (_, output) = exchange(&["--id", "j-1", "--kind", "job"], "", "404 Not Found", "{}").await;
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.trim_end().ends_with("; does the registry know the kind job?"), "{told}");
}

/// Sends a beat to somebody who is not there, a registry that answers so, and one that takes it; returns whether that one
/// heard it, and the exit code.
async fn fails_over(status: &'static str) -> (bool, Option<i32>) {
    let (refusing, taking) = (Registry::listen().await, Registry::listen().await);
    let urls = [super::NOWHERE, &refusing.url, &taking.url].join(",");
    let sent = tokio::task::spawn_blocking(move || code(&["beat", "--id", "w-1", "--registry", &urls]));
    refusing.hear().await.0.answer(status, "", "{}").await;
    let mut sent = pin!(sent);
    tokio::select! {
        code = &mut sent => (false, code.unwrap()),
        (mut connection, _) = taking.hear() => {
            connection.acknowledge().await;
            (true, sent.await.unwrap())
        }
    }
}

#[tokio::test]
async fn a_beat_that_one_registry_does_not_take_goes_to_the_next_unless_the_beat_is_wrong() {
    assert_eq!(fails_over("403 Forbidden").await, (true, Some(0)));
    assert_eq!(fails_over("500 Internal Server Error").await, (true, Some(0)));
    assert_eq!(fails_over("422 Unprocessable Entity").await, (false, Some(1)));
}

#[test]
fn what_is_no_beat_is_a_usage_error() {
    for args in [
        &["beat"][..],
        &["beat", "--id", "w 1"],
        &["beat", "--id", "w", "--status", "asleep"],
        &["beat", "--id", "w", "--metric", "tokens=NaN"],
        &["beat", "--id", "w", "--kind", "stat"],
        &["beat", "--kind", "agent"],
        &["beat", "--id", "h", "--kind", "hive", "--queue-depth", "1"],
        &["beat", "--id", "w", "--stdin"],
        &["beat", "--id", "w", "--registry", "ftp://queen"],
        &["beat", "--id", "w", "--endpoint", "localhost"],
    ] {
        assert_eq!(code(args), Some(2), "{args:?}");
    }
}
