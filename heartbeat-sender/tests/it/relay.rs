//! Batches over real sockets, between a worker that knows the relay alone and its registries.

use std::path::Path;
use std::time::Duration;

use heartbeat_contract::WorkerHeartbeat;
use heartbeat_sender::{
    HeartbeatHandle, HttpTransport, Outcome, Outcomes, Relay, RelayConfig, Serving, WorkerHeartbeatConfig,
    start_worker_heartbeat_task,
};

use crate::registry::{Registry, soon};

const TAKEN: &str =
    r#"{"accepted":1,"rejected":[],"acks":[],"server_time":"2026-01-02T03:04:05.690Z","next_in_ms":60000}"#;

/// A relay, and a worker that beats over it every minute, so that only what a test asks for happens.
struct Relayed {
    _serving: Serving,
    worker: HeartbeatHandle<WorkerHeartbeat>,
    outcomes: Outcomes,
}

impl Relayed {
    fn start(name: &str, upstream: HttpTransport) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let (serving, _) = Relay::bind(&path, RelayConfig::default(), upstream).unwrap().serve();
        let mut config = WorkerHeartbeatConfig::new("worker-123", format!("unix://{}", path.display()));
        config.interval = Duration::from_secs(60);
        config.request_timeout = Some(config.interval / 2);
        let worker = start_worker_heartbeat_task(config).unwrap();
        let outcomes = worker.outcomes();
        Self { _serving: serving, worker, outcomes }
    }

    async fn outcome(&mut self) -> Outcome {
        soon(self.outcomes.next()).await.expect("the loop goes on")
    }

    /// What the relay says of why the next beat is not taken.
    async fn refusal(&mut self) -> String {
        match self.outcome().await {
            Outcome::Failed { error, .. } => {
                assert_eq!(error.status(), Some(503), "so that it goes direct: {error}");
                error.problem().unwrap().detail.clone()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn to(url: &str) -> HttpTransport {
    HttpTransport::new(url).unwrap()
}

#[tokio::test]
async fn a_relay_leaves_a_registry_that_hangs_and_stays_with_the_next() {
    let (hanging, good) = (Registry::listen().await, Registry::listen().await);
    let mut relayed = Relayed::start("hanging.sock", to(&hanging.url).or(to(&good.url)));
    let (_unanswered, request) = hanging.hear().await;
    assert!(request.head.starts_with("post /v1/heartbeats "), "{}", request.head);
    let (mut connection, _) = good.hear().await;
    connection.answer("200 OK", "", TAKEN).await;
    assert!(matches!(relayed.outcome().await, Outcome::Acknowledged { seq: 0, .. }));
    for beat in 1..4 {
        relayed.worker.beat_now();
        connection.hear().await.expect("on the same connection");
        connection.answer("200 OK", "", TAKEN).await;
        let outcome = relayed.outcome().await;
        assert!(matches!(outcome, Outcome::Acknowledged { seq, .. } if seq == beat), "{outcome:?}");
    }
    assert!(!hanging.has_caller().await, "only the first batch went there");
}

#[tokio::test]
async fn a_worker_is_told_that_the_registry_refuses_the_relay() {
    let registry = Registry::listen().await;
    let mut relayed = Relayed::start("refused.sock", to(&registry.url.replace("http://", "http://me:secret@")));
    let (mut connection, _) = registry.hear().await;
    connection.answer("401 Unauthorized", "", "").await;
    assert_eq!(relayed.refusal().await, "the relay cannot pass beats on: refused with 401");
}

#[tokio::test]
async fn a_worker_is_told_that_the_registry_is_not_reached_but_no_password() {
    let url = Registry::listen().await.url;
    let mut relayed = Relayed::start("unreached.sock", to(&url.replace("http://", "http://me:secret@")));
    assert_eq!(relayed.refusal().await, format!("the relay cannot pass beats on: cannot connect to {url}"));
}

#[tokio::test]
async fn a_relay_returns_to_the_registry_it_prefers() {
    let (first, second) = (Registry::listen().await, Registry::listen().await);
    let mut relayed = Relayed::start("returning.sock", to(&first.url).or(to(&second.url)));
    drop(first.hear().await);
    let (mut kept, _) = second.hear().await;
    kept.answer("200 OK", "", TAKEN).await;
    assert!(matches!(relayed.outcome().await, Outcome::Acknowledged { seq: 0, .. }));
    relayed.worker.beat_now();
    kept.hear().await.expect("it stays there");
    kept.answer("200 OK", "", TAKEN).await;
    assert!(matches!(relayed.outcome().await, Outcome::Acknowledged { seq: 1, .. }));
    assert!(!first.has_caller().await, "and leaves the first alone for a while");

    a_while_passes().await;
    relayed.worker.beat_now();
    let (mut connection, beat) = second.hear().await;
    connection.answer("200 OK", "", TAKEN).await;
    assert!(matches!(relayed.outcome().await, Outcome::Acknowledged { seq: 2, .. }));
    let (mut preferred, again) = first.hear().await;
    assert_eq!(again.body, beat.body, "the batch that has arrived already");
    preferred.answer("200 OK", "", TAKEN).await;

    // It has returned once it has read that answer, which another beat may come before.
    let beats_at_second = async {
        loop {
            connection.hear().await.expect("the connection is kept");
            connection.answer("200 OK", "", TAKEN).await;
        }
    };
    let beats = async {
        loop {
            relayed.worker.beat_now();
            relayed.outcome().await;
        }
    };
    let next = tokio::select! {
        next = soon(preferred.hear()) => next,
        () = beats_at_second => unreachable!(),
        () = beats => unreachable!(),
    };
    assert!(next.is_some(), "on the same connection");
}

/// For the relay, not for the worker, which has a thread of its own.
async fn a_while_passes() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(100)).await;
    tokio::time::resume();
}
