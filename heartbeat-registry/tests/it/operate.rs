//! The routes by which operators look closer and intervene.

use heartbeat_registry::client::Client;
use heartbeat_registry::contract::{
    Directive, EventBody, Explanation, HealthState, HistoryPage, Kind, Policy, Problem, ResolvedPolicy, Rule,
};
use heartbeat_registry::http::{ServeConfig, not_found, router, serve};
use heartbeat_registry::{Fleet, FleetConfig, HistoryQuery, ManualClock, WorkerRegistry};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::wire::Server;
use crate::world::{World, beat, dawn, id, plain, secs};

const POLICY: &str = "/v1/workers/w/policy";
const DIRECTIVES: &str = "/v1/workers/w/directives";

/// A fleet with a clock that is moved by hand, and a client of it.
async fn served() -> (Fleet, ManualClock, Client) {
    let clock = ManualClock::new(dawn());
    let fleet = Fleet::new(FleetConfig::default(), clock.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = router(&fleet).fallback(not_found);
    tokio::spawn(serve(listener, app, ServeConfig::default(), std::future::pending()));
    (fleet, clock, Client::new(&url).unwrap())
}

#[tokio::test]
async fn a_policy_is_replaced_as_a_whole_and_answered_resolved() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w", "beat": {"interval_ms": 2000}}"#).await;
    let resolved: ResolvedPolicy = connection.put(POLICY, br#"{"threshold": 5}"#).await.json();
    assert_eq!(
        (resolved.interval, resolved.threshold),
        (secs(2), 5),
        "what is absent derives from the judged interval"
    );
    assert_eq!(resolved.failed_after(), secs(10) + secs(2) / 4);
    let resolved: ResolvedPolicy = connection.put(POLICY, br#"{"allowance_ms": 0}"#).await.json();
    assert_eq!((resolved.threshold, resolved.failed_after()), (3, secs(6)), "nothing is left of the policy before");
    let view: Value = connection.get("/v1/workers/w").await.json();
    assert_eq!(view["policy"], serde_json::to_value(&resolved).unwrap());
}

#[tokio::test]
async fn a_policy_before_the_first_beat_starts_monitoring() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let resolved: ResolvedPolicy = connection.put(POLICY, br#"{"interval_ms": 1000, "threshold": 2}"#).await.json();
    assert_eq!(resolved, Policy::realtime().resolve(None, None));
    let told: Explanation = connection.get("/v1/workers/w/explain").await.json();
    assert!(told.words[0].contains("no beat came yet"), "{:?}", told.words);
    let events = server.fleet.events(None, 10).events;
    assert_eq!((events.len(), &events[0].body), (1, &EventBody::Registered {}));
}

#[tokio::test]
async fn a_policy_that_makes_no_sense_is_refused_and_starts_nothing() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for refused in [r#"{"threshold": 1}"#, r#"{"treshold": 3}"#, r#"{"interval_ms": 99}"#, r#"{"history": 0}"#, "[]"] {
        let answer = connection.put(POLICY, refused.as_bytes()).await;
        assert_eq!((answer.status, answer.problem().slug()), (422, "invalid-payload"), "{refused}");
    }
    assert_eq!(connection.put(POLICY, b"{").await.status, 400);
    let answer = connection.put("/v1/workers/no%20id/policy", b"{}").await;
    assert_eq!(answer.status, 422);
    assert!(answer.problem().detail.contains("id in the path"), "{}", answer.problem().detail);
    assert_eq!(server.members(), 0);
}

#[tokio::test]
async fn directives_are_asked_delivered_and_withdrawn() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    assert_eq!(connection.post(DIRECTIVES, br#"{"directive": "drain"}"#).await.status, 404);
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w"}"#).await;
    for refused in [r#"{"directive": "dance"}"#, r#"{"directive": 7}"#, "{}"] {
        assert_eq!(connection.post(DIRECTIVES, refused.as_bytes()).await.status, 422, "{refused}");
    }
    let asked: Value = connection.post(DIRECTIVES, br#"{"directive": "drain"}"#).await.json();
    assert_eq!((&asked["directive"], &asked["incarnation"]), (&json!("drain"), &Value::Null));
    let ack: Value = connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w"}"#).await.json();
    assert_eq!(ack["directives"], json!(["drain"]));
    let batch: Value = connection.post("/v1/heartbeats", br#"{"workers": [{"worker_id": "w"}]}"#).await.json();
    assert_eq!(batch["acks"][0]["directives"], json!(["drain"]));

    assert_eq!(connection.delete_with(DIRECTIVES, br#"{"directive": "drain"}"#).await.status, 204);
    let again = connection.delete_with(DIRECTIVES, br#"{"directive": "drain"}"#).await;
    assert_eq!((again.status, again.problem().detail.as_str()), (404, "w is not asked for drain"));
    let ack: Value = connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w"}"#).await.json();
    assert_eq!(ack["directives"], json!([]));
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w", "beat": {"leaving": "done"}}"#).await;
    let late = connection.post(DIRECTIVES, br#"{"directive": "drain"}"#).await;
    assert_eq!((late.status, late.problem().slug()), (409, "stale-incarnation"));
    assert_eq!(late.problem().detail, "w has left: nobody would hear of a directive");
}

#[test]
fn a_directive_for_a_member_that_failed_is_refused_as_one_that_cannot_be_followed() {
    let world = World::new();
    world.accept(plain("w"));
    world.pass(secs(4));
    let refused = Problem::from(world.workers.ask(&id("w"), Directive::Drain).unwrap_err());
    assert_eq!((refused.status, refused.slug()), (422, "invalid-payload"));
}

#[cfg(feature = "server")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_by_the_registry_is_no_wrong_use_of_the_command() {
    use crate::token_commands::command;
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let url = format!("http://{}", server.address);
    let code = |args: &[&str]| {
        let mut command = command(args);
        tokio::task::block_in_place(|| command.output().unwrap()).status.code()
    };
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w"}"#).await;
    assert_eq!(code(&["drain", "w", "--registry", &url]), Some(0));
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w", "beat": {"leaving": "done"}}"#).await;
    assert_eq!(code(&["drain", "w", "--registry", &url]), Some(1), "the question was a good one");
    assert_eq!(code(&["drain", "ghost", "--registry", &url]), Some(3));
    assert_eq!(code(&["drain", "w", "--registry", "ftp://127.0.0.1"]), Some(2));
}

#[tokio::test]
async fn the_client_reads_a_history_by_moments_of_the_registrys_clock() {
    let (fleet, clock, client) = served().await;
    let workers = WorkerRegistry::new(&fleet);
    for seq in 0..6 {
        workers.record(beat("w", 5, seq)).unwrap();
        clock.advance(secs(10 + seq % 2));
    }
    let read = async |from: Option<&str>, to: Option<&str>| -> HistoryPage {
        let moment = |text: &str| text.parse().unwrap();
        let query = HistoryQuery { from: from.map(moment), to: to.map(moment) };
        client.history(&Kind::WORKER, &id("w"), &query).await.unwrap()
    };
    let seqs = |page: &HistoryPage| page.beats.iter().filter_map(|beat| beat.seq).collect::<Vec<_>>();
    let all = read(None, None).await;
    assert_eq!(seqs(&all), [0, 1, 2, 3, 4, 5]);
    assert_eq!((all.mean_interval_ms, all.jitter_ms), (Some(10_400.0), Some(480.0)));
    // The newest beat is 11 s old, the one before 21 s.
    assert_eq!(seqs(&read(Some("-21s"), None).await), [4, 5], "the start is in it");
    assert_eq!(seqs(&read(None, Some("2026-01-02T03:00:21Z")).await), [0, 1], "the end is not");
    assert_eq!(seqs(&read(Some("-1h"), Some("-1m")).await), [0]);
    assert!(client.history(&Kind::WORKER, &id("ghost"), &HistoryQuery::default()).await.unwrap_err().is_not_found());
    fleet.shutdown().await;
}

#[tokio::test]
async fn the_client_can_do_all_that_an_operator_can() {
    let (fleet, _, client) = served().await;
    let (worker, w) = (Kind::WORKER, id("w"));
    let workers = WorkerRegistry::new(&fleet);
    workers.record(plain("w")).unwrap();
    let resolved = client.set_policy(&worker, &w, &Policy::batch()).await.unwrap();
    assert_eq!(resolved.failed_after(), secs(155));
    let asked = client.ask(&worker, &w, Directive::Shutdown).await.unwrap();
    assert_eq!((asked.directive, asked.until), (Directive::Shutdown, dawn() + secs(600)));
    assert_eq!(client.member(&worker, &w).await.unwrap().directives, [Directive::Shutdown]);
    client.withdraw(&worker, &w, Directive::Shutdown).await.unwrap();
    assert!(client.withdraw(&worker, &w, Directive::Shutdown).await.unwrap_err().is_not_found());
    let told = client.explain(&worker, &w).await.unwrap();
    assert_eq!((told.state, told.rule), (HealthState::Healthy, Rule::Timing));
    client.forget(&worker, &w).await.unwrap();
    assert!(client.forget(&worker, &w).await.unwrap_err().is_not_found());
    assert!(client.explain(&worker, &w).await.unwrap_err().is_not_found());
    assert!(
        client.set_policy(&worker, &w, &Policy { threshold: 1, ..Policy::default() }).await.unwrap_err().is_usage()
    );
    fleet.shutdown().await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_told_field_by_field() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.post("/v1/worker-heartbeat", br#"{"worker_id": "w"}"#).await;
    for refused in ["from=yesterday", "to=1h", "since=-1h"] {
        let answer = connection.get(&format!("/v1/workers/w/history?{refused}")).await;
        assert_eq!(answer.status, 422, "{refused}");
    }
    assert_eq!(connection.get("/v1/workers/ghost/explain").await.status, 404);
    assert_eq!(connection.get("/v1/workers/w/policy").await.status, 405);
    assert_eq!(connection.get("/v1/workers/w/nonsense").await.status, 404);
}
