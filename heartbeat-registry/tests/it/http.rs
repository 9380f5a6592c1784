//! The routes over real sockets, with whatever a client may send.

use std::time::Duration;

use heartbeat_registry::contract::{BatchAnswer, EventsPage, HealthState, MemberView, MembersPage, Stats};
use heartbeat_registry::http::{ServeConfig, router, serve};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::wire::{Connection, Server};
use crate::world::id;

const BEAT: &str = "/v1/worker-heartbeat";

fn worker(fields: &str) -> Vec<u8> {
    format!(r#"{{"worker_id": "w", {fields}}}"#).into_bytes()
}

#[tokio::test]
async fn both_paths_of_both_kinds_take_beats() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for path in [BEAT, "/v1/worker/heartbeat"] {
        let answer = connection.post(path, br#"{"worker_id": "w"}"#).await;
        assert_eq!(answer.status, 200);
        let ack: Value = answer.json();
        assert_eq!(
            (&ack["acknowledged"], &ack["next_in_ms"], &ack["directives"]),
            (&json!(true), &json!(30000), &json!([]))
        );
    }
    for path in ["/v1/hive-heartbeat", "/v1/hive/heartbeat"] {
        assert_eq!(connection.post(path, br#"{"hive_id": "h"}"#).await.status, 200);
    }
    let page: MembersPage = connection.get("/v1/workers").await.json();
    assert_eq!((page.members[0].id.as_str(), page.total, page.next_cursor), ("w", Some(1), None));
    assert_eq!(page.members[0].address.as_deref(), Some("127.0.0.1"));
    let hive: MemberView = connection.get("/v1/hives/h").await.json();
    assert_eq!((hive.host.as_str(), hive.state), ("h", HealthState::Healthy));
}

#[tokio::test]
async fn bad_beats_are_refused_with_a_problem_record_nothing_and_leave_the_connection_usable() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let vectors: Vec<(Vec<u8>, u16)> = vec![
        (br#"{"worker_id": "not a valid id"}"#.to_vec(), 422),
        (br#"{"worker_id": "-w"}"#.to_vec(), 422),
        (format!(r#"{{"worker_id": "{}"}}"#, "w".repeat(129)).into_bytes(), 422),
        (br#"{"status": "busy"}"#.to_vec(), 422),
        (br#"{"worker_id": 7}"#.to_vec(), 422),
        (br#"{"worker_id": null}"#.to_vec(), 422),
        (worker(r#""queue_depth": -1"#), 422),
        (worker(r#""queue_depth": 1.5"#), 422),
        (worker(r#""queue_depth": 4294967296"#), 422),
        (worker(r#""queue_depth": "7""#), 422),
        (worker(r#""gpu_utilization": 1.01"#), 422),
        (worker(r#""gpu_utilization": 1e999"#), 422),
        (worker(r#""gpu_utilization": NaN"#), 400),
        (worker(r#""metrics": {"a": 1e400}"#), 422),
        (worker(r#""timestamp": "soon""#), 422),
        (worker(r#""beat": []"#), 422),
        (worker(r#""beat": {"interval_ms": 99}"#), 422),
        (worker(r#""beat": {"interval_ms": 86400001}"#), 422),
        (worker(r#""beat": {"seq": 0}"#), 422),
        (worker(r#""beat": {"incarnation": 9007199254740993, "seq": 0}"#), 422),
        (worker(&format!(r#""metadata": {{"x": {deep}}}"#)), 422),
        (worker(&format!(r#""last_error": "{}""#, "x".repeat(1025))), 422),
        (br#"["w"]"#.to_vec(), 422),
        (b"null".to_vec(), 422),
        (b"".to_vec(), 400),
        (br#"{"worker_id": "w""#.to_vec(), 400),
        (br#"{"worker_id": "w"} x"#.to_vec(), 400),
        (b"\xff\xfe".to_vec(), 400),
    ];
    for (body, status) in vectors {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = connection.post(BEAT, &body).await;
        assert_eq!(answer.status, status, "{shown}");
        let problem = answer.problem();
        assert_eq!(problem.slug(), "invalid-payload", "{shown}");
        assert!(!problem.detail.is_empty() && !problem.detail.contains("serde"), "{shown}: {}", problem.detail);
    }
    assert_eq!(server.members(), 0);
    assert_eq!(connection.post(BEAT, br#"{"worker_id": "w"}"#).await.status, 200);
}

#[tokio::test]
async fn deep_nesting_in_an_unknown_field_neither_crashes_nor_is_kept() {
    let server = Server::start().await;
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let mut connection = server.connect().await;
    assert_eq!(connection.post(BEAT, &worker(&format!(r#""unknown": {deep}"#))).await.status, 200);
    let view: MemberView = connection.get("/v1/workers/w").await.json();
    assert_eq!(view.payload, Some(json!({"worker_id": "w"})));
}

#[tokio::test]
async fn wrong_methods_paths_and_content_types_are_told_apart_and_leave_the_connection_usable() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let beat = br#"{"worker_id": "w"}"#;
    for (method, path, headers, status, slug) in [
        ("POST", BEAT, "content-type: text/plain\r\n", 415, "unsupported-media-type"),
        ("POST", BEAT, "", 415, "unsupported-media-type"),
        (
            "POST",
            "/v1/heartbeats",
            "content-type: application/x-www-form-urlencoded\r\n",
            415,
            "unsupported-media-type",
        ),
        ("PUT", BEAT, "content-type: application/json\r\n", 405, "method-not-allowed"),
        ("GET", BEAT, "", 405, "method-not-allowed"),
        ("POST", "/v1/workers", "content-type: application/json\r\n", 405, "method-not-allowed"),
        ("POST", "/v1/worker", "content-type: application/json\r\n", 404, "not-found"),
        ("GET", "/v1/workers/ghost", "", 404, "not-found"),
        ("DELETE", "/v1/workers/ghost", "", 404, "not-found"),
        ("GET", "/v1/workers/no%20id", "", 404, "not-found"),
        ("GET", "/v1/workers/%FF", "", 404, "not-found"),
        ("GET", "/v1/workers?sate=failed", "", 422, "invalid-payload"),
        ("GET", "/v1/workers?limit=0", "", 422, "invalid-payload"),
        ("GET", "/v1/workers?cursor=x", "", 422, "invalid-payload"),
        ("GET", "/v1/events?since=x", "", 422, "invalid-payload"),
    ] {
        let answer = connection.send(method, path, headers, beat).await;
        assert_eq!((answer.status, answer.problem().slug()), (status, slug), "{method} {path}");
        if status == 405 {
            assert!(answer.head.contains("\r\nallow: "), "{method} {path}: {}", answer.head);
        }
    }
    assert_eq!(server.members(), 0);
    let charset = "content-type: application/json; charset=utf-8\r\n";
    assert_eq!(connection.send("POST", BEAT, charset, beat).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_to_its_end_up_to_2_mib_and_then_closed_with_notice() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let padded = |bytes: usize| worker(&format!(r#""x": "{}""#, "x".repeat(bytes)));
    for (bytes, path) in [(64 * 1024, BEAT), (1_000_000, BEAT), (2_000_000, BEAT)] {
        let answer = connection.post(path, &padded(bytes)).await;
        assert_eq!((answer.status, answer.problem().slug()), (413, "too-large"));
        assert!(!answer.head.contains("connection: close"));
    }
    assert_eq!(connection.post(BEAT, &padded(60_000)).await.status, 200);
    let answer = connection.post("/v1/heartbeats", &padded(3 * 1024 * 1024)).await;
    assert_eq!((answer.status, answer.problem().slug()), (413, "too-large"));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(connection.answer().await.is_none());
}

#[tokio::test]
async fn one_bad_item_never_spoils_a_batch() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let golden = include_bytes!("../../../heartbeat-contract/tests/golden/batch.json");
    let answer: BatchAnswer = connection.post("/v1/heartbeats", golden).await.json();
    assert_eq!((answer.accepted, answer.next_in_ms), (2, 10_000));
    assert_eq!(answer.rejected[0].detail, "worker_id: ' ' is not allowed in an id");
    assert_eq!((answer.rejected[0].index, answer.rejected[0].id.as_deref()), (1, Some("not a valid id")));
    assert_eq!(answer.rejected[0].problem, "invalid-payload");
    let acks: Vec<_> = answer.acks.iter().map(|ack| (ack.id.as_str(), ack.next_in_ms)).collect();
    assert_eq!(acks, [("hive-7", 30_000)], "only those granted another interval than the smallest");
    let items = vec![r#"{"worker_id": "w"}"#; 1001].join(",");
    let refused = connection.post("/v1/heartbeats", format!(r#"{{"workers": [{items}]}}"#).as_bytes()).await;
    assert_eq!(refused.status, 422);
    let unknown = connection.post("/v1/heartbeats", br#"{"moons": [{"moon_id": "m"}], "note": 7}"#).await;
    assert_eq!(unknown.json::<BatchAnswer>().accepted, 0);
    assert_eq!(server.members(), 2);
}

#[tokio::test]
async fn a_run_that_was_replaced_is_told_the_newest() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let run = |incarnation: u64| worker(&format!(r#""beat": {{"incarnation": {incarnation}, "seq": 0}}"#));
    assert_eq!(connection.post(BEAT, &run(2)).await.status, 200);
    let refused = connection.post(BEAT, &run(1)).await;
    assert_eq!(refused.status, 409);
    let problem = refused.problem();
    assert_eq!((problem.slug(), problem.newest_incarnation), ("stale-incarnation", Some(2)));
}

#[tokio::test]
async fn beyond_the_cap_new_members_are_asked_to_come_back_later() {
    let config = FleetConfig { max_members: 1, ..FleetConfig::default() };
    let server = Server::with(ServeConfig::default(), config).await;
    let mut connection = server.connect().await;
    assert_eq!(connection.post(BEAT, br#"{"worker_id": "a"}"#).await.status, 200);
    let refused = connection.post(BEAT, br#"{"worker_id": "b"}"#).await;
    assert_eq!((refused.status, refused.problem().slug()), (429, "too-many-members"));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(connection.post(BEAT, br#"{"worker_id": "a"}"#).await.status, 200, "those known are still heard");
}

#[tokio::test]
async fn reads_show_members_events_and_stats_and_delete_forgets() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for name in ["a", "b", "c"] {
        let beat =
            format!(r#"{{"worker_id": "{name}", "health_status": "degraded", "beat": {{"zone": "rack-{name}"}}}}"#);
        connection.post(BEAT, beat.as_bytes()).await;
    }
    let page: MembersPage = connection.get("/v1/workers?state=degraded&state=critical&limit=2").await.json();
    assert_eq!((page.members.len(), page.total), (2, Some(3)));
    let rest = connection.get(&format!("/v1/workers?limit=2&cursor={}", page.next_cursor.unwrap())).await;
    assert_eq!(rest.json::<MembersPage>().members.len(), 1);
    let rack: MembersPage = connection.get("/v1/workers?zone=rack-b").await.json();
    assert_eq!((rack.members[0].id.as_str(), rack.total), ("b", None));
    let stats: Stats = connection.get("/v1/stats").await.json();
    assert_eq!((stats.members.degraded, stats.beats.fresh, stats.driver.alive), (3, 3, true));
    let events: EventsPage = connection.get("/v1/events?since=2&limit=3").await.json();
    assert_eq!(events.events.iter().map(|event| event.n).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(connection.send("DELETE", "/v1/workers/a", "", b"").await.status, 204);
    assert_eq!(connection.send("DELETE", "/v1/workers/a", "", b"").await.status, 404);
    assert!(WorkerRegistry::new(&server.fleet).health(&id("a")).is_err());
}

#[tokio::test]
async fn a_slow_head_is_cut_while_an_idle_connection_is_kept() {
    let config = ServeConfig { head_timeout: Duration::from_secs(1), ..ServeConfig::default() };
    let server = Server::with(config, FleetConfig::default()).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/v1/stats").await.status, 200);
    let mut slow = server.connect().await;
    slow.stream.write_all(b"POST /v1/worker-heartbeat HTTP/1.1\r\nhost:").await.unwrap();
    assert!(slow.answer().await.is_none(), "the slow one is closed without an answer");
    assert_eq!(idle.get("/v1/stats").await.status, 200);
}

#[tokio::test]
async fn a_connection_that_idles_for_too_long_is_closed() {
    let config = ServeConfig { idle_timeout: Duration::from_secs(1), ..ServeConfig::default() };
    let server = Server::with(config, FleetConfig::default()).await;
    let mut connection = server.connect().await;
    connection.get("/v1/stats").await;
    assert!(connection.answer().await.is_none());
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_returns() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router(&fleet), ServeConfig::default(), stop.clone().cancelled_owned()));
    let mut connection = Connection { stream: TcpStream::connect(address).await.unwrap() };
    assert_eq!(connection.get("/v1/stats").await.status, 200);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), served).await.unwrap().unwrap();
    assert!(connection.answer().await.is_none());
}
