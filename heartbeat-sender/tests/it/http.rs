//! Beats over real sockets.

use std::time::Duration;

use heartbeat_contract::{HiveHeartbeat, Kind, MemberId, Payload, WorkerHeartbeat, decode};
use heartbeat_sender::{
    ConfigError, HeartbeatHandle, HiveHeartbeatConfig, HttpTransport, Outcome, Outcomes, SendError,
    WorkerHeartbeatConfig, send_heartbeat, start_hive_heartbeat_task, start_worker_heartbeat_task,
};

use crate::registry::{ACK, Connection, Registry, Request, soon};

/// Beats every 2 s: soon enough to wait for, and with time enough for answers on a loaded machine.
fn worker(registry_url: &str) -> WorkerHeartbeatConfig {
    every(Duration::from_secs(2), registry_url)
}

/// Beats every minute, so that only what a test asks for happens.
fn slow_worker(registry_url: &str) -> WorkerHeartbeatConfig {
    every(Duration::from_secs(60), registry_url)
}

fn every(interval: Duration, registry_url: &str) -> WorkerHeartbeatConfig {
    let mut config = WorkerHeartbeatConfig::new("worker-123", registry_url);
    config.interval = interval;
    config.request_timeout = Some(interval);
    config
}

fn start(config: WorkerHeartbeatConfig) -> (HeartbeatHandle<WorkerHeartbeat>, Outcomes) {
    let handle = start_worker_heartbeat_task(config).unwrap();
    let outcomes = handle.outcomes();
    (handle, outcomes)
}

async fn outcome(outcomes: &mut Outcomes) -> Outcome {
    soon(outcomes.next()).await.expect("the loop has ended")
}

async fn failure(outcomes: &mut Outcomes) -> SendError {
    match outcome(outcomes).await {
        Outcome::Failed { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

/// Says goodbye and lets the registry hear it on this connection.
async fn leave(handle: HeartbeatHandle<WorkerHeartbeat>, mut connection: Connection) -> Request {
    let leaving = tokio::spawn(handle.shutdown());
    let goodbye = connection.hear().await.unwrap();
    connection.acknowledge().await;
    let end = soon(leaving).await.unwrap();
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    goodbye
}

#[tokio::test]
async fn a_beat_is_a_post_of_json_and_the_last_one_a_goodbye() {
    let registry = Registry::listen().await;
    let mut config = slow_worker(&format!("{}/queen/", registry.url));
    config.bearer_token = Some("hush".to_owned());
    let (handle, mut outcomes) = start(config);
    let (mut connection, request) = registry.hear().await;
    assert!(request.head.starts_with("post /queen/v1/worker-heartbeat http/1.1"), "{}", request.head);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("bearer hush"));
    assert_eq!((request.seq(), request.beat().tick), (0, None));
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { seq: 0, .. }));
    assert_eq!(leave(handle, connection).await.beat().leaving.as_deref(), Some("shutdown"));
}

#[tokio::test]
async fn workers_and_hives_beat_alike_every_30_s_each_to_the_path_of_its_kind() {
    async fn first_beat<P: Payload>(registry: &Registry) -> P {
        let (mut connection, request) = registry.hear().await;
        let path = format!("post /v1/{}-heartbeat http/1.1", P::KIND);
        assert!(request.head.starts_with(&path), "{}", request.head);
        connection.acknowledge().await;
        let beat: P = decode(&request.body).unwrap();
        assert_eq!(beat.beat().unwrap().interval_ms, Some(30_000));
        assert!(beat.timestamp().is_some());
        beat
    }
    let registry = Registry::listen().await;
    let _worker = start_worker_heartbeat_task(WorkerHeartbeatConfig::new("worker-123", &registry.url)).unwrap();
    assert_eq!(first_beat::<WorkerHeartbeat>(&registry).await.worker_id.as_str(), "worker-123");
    let _hive = start_hive_heartbeat_task(HiveHeartbeatConfig::new("localhost", &registry.url)).unwrap();
    assert_eq!(first_beat::<HiveHeartbeat>(&registry).await.hive_id.as_str(), "localhost");
}

#[tokio::test]
async fn a_registry_that_answers_garbage_is_tried_again_and_recovered_within_one_interval() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(worker(&registry.url));
    let (mut connection, first) = registry.hear().await;
    connection.answer("200 OK", "", "not even HTML").await;
    assert!(failure(&mut outcomes).await.is_unreadable());
    let (mut connection, next) = registry.hear().await;
    assert_eq!((first.seq(), next.seq()), (0, 1), "nothing was sent in between");
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { .. }));
}

#[tokio::test]
async fn a_closed_idle_connection_is_retried_once_with_the_same_seq() {
    let registry = Registry::listen().await;
    let (handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, _) = registry.hear().await;
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { seq: 0, .. }));

    handle.beat_now();
    let lost = connection.hear().await.unwrap();
    drop(connection);
    let (mut connection, again) = registry.hear().await;
    assert_eq!((again.seq(), &again.body), (1, &lost.body));
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { seq: 1, .. }));

    handle.beat_now();
    connection.hear().await.unwrap();
    drop(connection);
    let (connection, again) = registry.hear().await;
    assert_eq!(again.seq(), 2);
    drop(connection);
    assert!(failure(&mut outcomes).await.is_lost(), "once, not twice");
}

#[tokio::test]
async fn a_new_connection_that_is_closed_is_not_retried() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(slow_worker(&registry.url));
    drop(registry.hear().await);
    assert!(failure(&mut outcomes).await.is_lost());
}

#[tokio::test]
async fn an_answer_cut_short_is_lost_and_not_retried() {
    let registry = Registry::listen().await;
    let (handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, _) = registry.hear().await;
    connection.acknowledge().await;
    outcome(&mut outcomes).await;
    handle.beat_now();
    connection.hear().await.unwrap();
    connection.cut_short().await;
    assert!(failure(&mut outcomes).await.is_lost());
}

#[tokio::test]
async fn an_answer_longer_than_64_kib_is_no_ack() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, _) = registry.hear().await;
    connection.answer("200 OK", "", &format!("{ACK}{}", " ".repeat(64 * 1024))).await;
    assert!(failure(&mut outcomes).await.is_unreadable());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, _) = registry.hear().await;
    connection.answer("307 Temporary Redirect", &format!("location: {}/else\r\n", registry.url), "").await;
    let error = failure(&mut outcomes).await;
    assert_eq!((error.is_refused(), error.status()), (true, Some(307)));
}

#[tokio::test]
async fn a_refusal_tells_the_problem_and_how_long_to_wait() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, _) = registry.hear().await;
    let problem = r#"{"type":"/problems/overloaded","title":"Overloaded","status":429,"detail":"too much to do"}"#;
    connection.answer("429 Too Many Requests", "retry-after: 7\r\n", problem).await;
    let error = failure(&mut outcomes).await;
    assert_eq!(error.to_string(), "refused with 429: too much to do");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_stale_run_starts_over_with_a_newer_number() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(slow_worker(&registry.url));
    let (mut connection, request) = registry.hear().await;
    let newest = request.beat().incarnation.unwrap() + 1_000_000;
    let problem = format!(
        r#"{{"type":"/problems/stale-incarnation","title":"Stale incarnation","status":409,"detail":"old","newest_incarnation":{newest}}}"#
    );
    connection.answer("409 Conflict", "", &problem).await;
    let raised = connection.hear().await.unwrap();
    assert_eq!((raised.beat().incarnation, raised.seq()), (Some(newest + 1), 0));
    connection.acknowledge().await;
    while !matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { .. }) {}
}

#[tokio::test]
async fn one_shot_sends_the_beat_as_it_is() {
    let registry = Registry::listen().await;
    let beat = WorkerHeartbeat::new(MemberId::new("nightly-7").unwrap());
    let sent = beat.clone();
    let url = registry.url.clone();
    let sending = tokio::spawn(async move { send_heartbeat(url, sent).await });
    let (mut connection, request) = registry.hear().await;
    assert_eq!(request.worker(), beat);
    connection.acknowledge().await;
    assert!(soon(sending).await.unwrap().unwrap().acknowledged);
}

#[tokio::test]
async fn one_shot_tells_unreachable_registries_from_unusable_urls() {
    let beat = || WorkerHeartbeat::new(MemberId::new("nightly-7").unwrap());
    let gone = Registry::listen().await.url;
    let error = soon(send_heartbeat(&gone, beat())).await.unwrap_err();
    assert!(error.is_connect() && !error.is_config(), "{error}");
    assert_eq!(error.to_string(), format!("cannot connect to {gone}"));
    let error = soon(send_heartbeat("queen:8500", beat())).await.unwrap_err();
    assert!(error.is_config(), "{error}");
}

#[test]
fn a_config_that_cannot_work_starts_nothing() {
    let refused = |url: &str| start_worker_heartbeat_task(worker(url)).unwrap_err();
    assert!(matches!(refused("queen"), ConfigError::RegistryUrl { .. }));
    assert!(matches!(
        start_worker_heartbeat_task(WorkerHeartbeatConfig::in_process("worker-123")),
        Err(ConfigError::NoRegistryUrl)
    ));
    assert!(matches!(
        start_worker_heartbeat_task(WorkerHeartbeatConfig::new("worker 123", "http://queen")),
        Err(ConfigError::Id(_))
    ));
    assert_eq!(HttpTransport::new("https://queen").is_ok(), cfg!(feature = "rustls"));
}

#[tokio::test]
async fn a_kind_of_ones_own_beats_to_its_own_route() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct AgentHeartbeat {
        agent_id: MemberId,
        beat: Option<heartbeat_contract::BeatInfo>,
    }
    impl Payload for AgentHeartbeat {
        const KIND: Kind = Kind::from_static("agent");
        const ID_FIELD: &'static str = "agent_id";

        fn id(&self) -> &MemberId {
            &self.agent_id
        }
        fn beat(&self) -> Option<&heartbeat_contract::BeatInfo> {
            self.beat.as_ref()
        }
        fn set_beat(&mut self, beat: heartbeat_contract::BeatInfo) {
            self.beat = Some(beat);
        }
    }
    let registry = Registry::listen().await;
    let payload = AgentHeartbeat { agent_id: MemberId::new("a-1").unwrap(), beat: None };
    let mut config = heartbeat_sender::HeartbeatConfig::of(payload);
    config.registry_url = Some(registry.url.clone());
    let _handle = heartbeat_sender::start_heartbeat_task(config).unwrap();
    let (_connection, request) = registry.hear().await;
    assert!(request.head.starts_with("post /v1/agent-heartbeat "), "{}", request.head);
}
