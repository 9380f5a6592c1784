//! The event log as a stream, over real sockets.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use heartbeat_registry::contract::{Event, EventsLagged, EventsPage, EventsReset, HealthStatus, WorkerHeartbeat};
use heartbeat_registry::http::{Api, ServeConfig, router};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock, WorkerRegistry};
use http_body_util::BodyExt;
use tokio::net::{TcpSocket, TcpStream};
use tower::ServiceExt;

use crate::tail::{Tail, Told};
use crate::wire::Server;
use crate::world::{dawn, feeling, plain};

const STREAM: &str = "accept: text/event-stream\r\n";

/// A fleet whose time stands still, with that many events.
fn fleet(events: u64, kept: usize) -> Fleet {
    let config = FleetConfig { events_kept: kept, max_members: 1_000_000, seed: Some(7), ..FleetConfig::default() };
    let fleet = Fleet::new(config, ManualClock::new(dawn())).unwrap();
    register(&fleet, 0..events);
    fleet
}

fn register(fleet: &Fleet, numbers: std::ops::Range<u64>) {
    let workers = WorkerRegistry::new(fleet);
    for n in numbers {
        workers.record(plain(&format!("worker-{n}"))).unwrap();
    }
}

async fn serving(fleet: Fleet) -> Server {
    let app = router(&fleet);
    Server::of(ServeConfig::default(), fleet, app).await
}

async fn tail(server: &Server, query: &str, last: Option<&str>) -> Tail {
    Tail::open(TcpStream::connect(server.address).await.unwrap(), query, last).await
}

/// The numbers of the events told, and what else was.
fn names(told: &[Told]) -> Vec<String> {
    told.iter()
        .filter(|told| told.data.is_some())
        .map(|told| match told.event.as_deref().unwrap() {
            control @ ("reset" | "lagged") => control.to_owned(),
            _ => told.json::<Event>().n.to_string(),
        })
        .collect()
}

#[tokio::test]
async fn a_stream_tells_each_event_with_its_id_and_type_and_how_to_reconnect() {
    let server = serving(fleet(0, 100)).await;
    let log = server.fleet.stats().events.log;
    let mut tail = tail(&server, "", None).await;
    tail.frames(1).await;
    register(&server.fleet, 0..1);
    WorkerRegistry::new(&server.fleet).record(feeling(plain("worker-0"), HealthStatus::Degraded)).unwrap();
    tail.frames(3).await;
    let text = String::from_utf8(tail.text()).unwrap();
    let (retry, rest) = text.split_once('\n').unwrap();
    let retry: u64 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((1_000..3_000).contains(&retry), "{retry}");
    let expected = format!(
        concat!(
            "id: {log}-0\n\n",
            "id: {log}-1\nevent: registered\n",
            r#"data: {{"id":"{log}-1","n":1,"at":"2026-01-02T03:00:00.000Z","kind":"worker","member":"worker-0","#,
            r#""type":"registered"}}"#,
            "\n\nid: {log}-2\nevent: transition\n",
            r#"data: {{"id":"{log}-2","n":2,"at":"2026-01-02T03:00:00.000Z","kind":"worker","member":"worker-0","#,
            r#""type":"transition","from":"healthy","to":"degraded","age_ms":0,"credited_ms":0,"#,
            r#""last_seen":"2026-01-02T03:00:00.000Z","cause":"self_reported","evidence":["calls itself degraded"],"group":null}}"#,
            "\n\n"
        ),
        log = log
    );
    assert_eq!(rest, expected);
    let head = tail.head();
    for header in [
        "200 ok",
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
        "vary: accept",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
}

#[tokio::test]
async fn a_stream_starts_now_or_after_the_event_that_is_named() {
    for (query, last, after) in [
        ("", None, 5),
        ("?since=0", None, 0),
        ("?since=3", None, 3),
        ("?since=LOG-2", None, 2),
        ("?since=1", Some("4"), 4),
        ("?since=1", Some("LOG-5"), 5),
        ("?since=1", Some(""), 1),
    ] {
        let server = serving(fleet(5, 100)).await;
        let log = server.fleet.stats().events.log;
        let (query, last) = (query.replace("LOG", log.as_str()), last.map(|last| last.replace("LOG", log.as_str())));
        let mut tail = tail(&server, &query, last.as_deref()).await;
        assert_eq!(tail.frames(1).await[0].id, Some(format!("{log}-{after}")), "{query} {last:?}");
        register(&server.fleet, 5..6);
        let told = tail.frames(1 + 6 - after).await;
        let expected: Vec<String> = (after + 1..=6).map(|n| n.to_string()).collect();
        assert_eq!(names(&told), expected, "{query} {last:?}");
    }
}

#[tokio::test]
async fn whoever_may_have_missed_events_first_gets_a_reset_to_go_on_from() {
    let server = serving(fleet(7, 5)).await;
    let log = server.fleet.stats().events.log;
    for last in ["1", "8", "other-4"] {
        let mut first = tail(&server, "", Some(last)).await;
        let told = first.frames(7).await;
        assert_eq!(names(&told), ["reset", "3", "4", "5", "6", "7"], "{last}");
        assert_eq!(told[0].id.as_deref(), Some(last), "until the reset is told, nothing else is known");
        assert_eq!(told[1].json::<EventsReset>(), EventsReset { log: log.clone(), oldest: 3, next: 8 });
        let after_reset = tail(&server, "", told[1].id.as_deref()).await.frames(6).await;
        assert_eq!(names(&after_reset), ["3", "4", "5", "6", "7"], "cut right after the reset, nothing is missing");
    }
    assert_eq!(names(&tail(&server, "?since=2", None).await.frames(6).await), ["3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn a_reader_that_lags_is_told_and_cut() {
    let server = serving(fleet(0, 50)).await;
    let mut tail = tail(&server, "", None).await;
    tail.frames(1).await;
    // More at once than is kept, before the stream gets to run.
    register(&server.fleet, 0..80);
    let told = tail.rest().await;
    assert!(tail.ended_cleanly());
    assert_eq!(names(&told), ["lagged"]);
    let EventsLagged { missed, oldest, .. } = told[1].json();
    assert_eq!((missed, oldest, told[1].id.as_deref()), (30, 31, None));
}

/// Waits until there is room for another stream.
async fn room(server: &Server) {
    let asking = async {
        loop {
            let mut tail = tail(server, "", None).await;
            tail.read(4096).await;
            if tail.head().contains(" 200 ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("room within half a minute");
}

/// Asks for a stream and reads nothing.
async fn stalled(server: &Server) -> Tail {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    Tail::open(socket.connect(server.address).await.unwrap(), "?since=0", None).await
}

#[tokio::test]
async fn a_reader_that_stalls_sees_what_was_sent_before_without_a_gap() {
    let server = serving(fleet(0, 1_000)).await;
    let mut tail = stalled(&server).await;
    tail.frames(1).await;
    // Far more than the buffers of both sides take.
    for thousand in 0..60 {
        register(&server.fleet, thousand * 1_000..(thousand + 1) * 1_000);
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await.unwrap_err();
    }
    let told = names(&tail.rest().await);
    let (last, events) = told.split_last().unwrap();
    assert_eq!(last, "lagged");
    assert!(events.len() > 1_000 && events.len() < 60_000, "{}", events.len());
    assert!(events.iter().zip(1_u64..).all(|(told, n)| *told == n.to_string()));
    assert!(tail.ended_cleanly());
}

#[tokio::test]
async fn a_reader_that_stalls_for_good_is_cut_and_makes_room() {
    let fleet = fleet(60_000, 100_000);
    let app = Api::new(&fleet).max_streams(1).router();
    let config = ServeConfig { write_timeout: Duration::from_millis(100), ..ServeConfig::default() };
    let server = Server::of(config, fleet, app).await;
    let mut dead = stalled(&server).await;
    dead.read(1).await;
    room(&server).await;
    dead.rest().await;
    assert!(!dead.ended_cleanly());
}

#[tokio::test]
async fn one_stream_more_than_there_may_be_is_refused_until_another_ends() {
    let fleet = fleet(0, 100);
    let app = Api::new(&fleet).max_streams(2).router();
    let server = Server::of(ServeConfig::default(), fleet, app).await;
    let mut open = [tail(&server, "", None).await, tail(&server, "", None).await];
    for tail in &mut open {
        tail.frames(1).await;
    }
    let mut connection = server.connect().await;
    let refused = connection.send("GET", "/v1/events", STREAM, b"").await;
    assert_eq!((refused.status, refused.problem().slug()), (429, "overloaded"));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(connection.get("/v1/events").await.status, 200, "pages are still told");
    drop(open);
    room(&server).await;
}

#[tokio::test]
async fn whoever_does_not_name_the_stream_gets_a_page() {
    let server = serving(fleet(3, 100)).await;
    let mut connection = server.connect().await;
    for headers in ["", "accept: */*\r\n", "accept: application/json\r\n", "last-event-id: 2\r\n"] {
        let answer = connection.send("GET", "/v1/events", headers, b"").await;
        assert!(answer.head.contains("content-type: application/json"), "{headers}: {}", answer.head);
        assert_eq!(answer.json::<EventsPage>().events.len(), 3, "{headers}");
    }
    let head = connection.send("HEAD", "/v1/events", STREAM, b"").await;
    assert!(head.head.contains("content-type: text/event-stream"), "{}", head.head);
    assert_eq!(connection.get("/v1/stats").await.status, 200, "the connection stays usable");
}

#[tokio::test]
async fn what_is_no_event_id_is_refused_by_name() {
    let server = serving(fleet(3, 100)).await;
    let mut connection = server.connect().await;
    for (query, headers, named) in [
        ("?since=x", "", "since: "),
        ("", "last-event-id: x\r\n", "last-event-id: "),
        ("", "last-event-id: 1, 2\r\n", "last-event-id: "),
        ("", "last-event-id: \u{e4}-1\r\n", "last-event-id: "),
        ("?limit=5", "", "limit: a stream has none"),
        ("?form=3", "", "form: "),
    ] {
        let headers = format!("{STREAM}{headers}");
        let problem = connection.send("GET", &format!("/v1/events{query}"), &headers, b"").await.problem();
        assert_eq!((problem.status, problem.slug()), (422, "invalid-payload"), "{query} {headers}");
        assert!(problem.detail.starts_with(named), "{query} {headers}: {}", problem.detail);
    }
}

#[tokio::test]
async fn a_quiet_stream_outlives_the_idle_timeout() {
    let fleet = fleet(0, 100);
    let app = router(&fleet);
    let config = ServeConfig { idle_timeout: Duration::from_millis(50), ..ServeConfig::default() };
    let server = Server::of(config, fleet, app).await;
    let mut tail = tail(&server, "", None).await;
    tail.frames(1).await;
    let quiet = tokio::time::timeout(Duration::from_millis(200), tail.read(1)).await;
    assert!(quiet.is_err(), "nothing is told, and nothing ends");
    register(&server.fleet, 0..1);
    assert_eq!(names(&tail.frames(2).await), ["1"]);
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_and_does_not_wait_for_them() {
    let fleet = fleet(0, 100);
    let app = router(&fleet);
    let config = ServeConfig { drain: Duration::from_hours(1), ..ServeConfig::default() };
    let server = Server::of(config, fleet, app).await;
    let mut tail = tail(&server, "", None).await;
    tail.frames(1).await;
    server.stop().await;
    tail.rest().await;
    assert!(tail.ended_cleanly());
}

/// The body of a stream without a server, whose time may stand still.
async fn body(fleet: &Fleet) -> Body {
    let request = Request::get("/v1/events").header("accept", "text/event-stream").body(Body::empty()).unwrap();
    let mut body = router(fleet).oneshot(request).await.unwrap().into_body();
    assert!(text(&mut body).await.unwrap().starts_with("retry: "));
    body
}

async fn text(body: &mut Body) -> Option<String> {
    let bytes = body.frame().await?.unwrap().into_data().unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_sends_a_comment_every_15_seconds() {
    let fleet = fleet(0, 100);
    let mut body = body(&fleet).await;
    for _ in 0..3 {
        tokio::time::timeout(Duration::from_millis(14_900), text(&mut body)).await.expect_err("nothing yet");
        let comment = tokio::time::timeout(Duration::from_millis(200), text(&mut body)).await.unwrap();
        assert_eq!(comment.as_deref(), Some(":\n\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_about_an_hour_and_leaves_its_place_to_others() {
    let fleet = fleet(1, 100);
    let app: axum::Router = Api::new(&fleet).kind::<WorkerHeartbeat>().max_streams(1).router();
    let open = async || {
        let request = Request::get("/v1/events?since=0").header("accept", "text/event-stream").body(Body::empty());
        app.clone().oneshot(request.unwrap()).await.unwrap()
    };
    let mut body = open().await.into_body();
    assert_eq!(open().await.status(), 429);
    assert!(text(&mut body).await.unwrap().starts_with("retry: "));
    assert!(text(&mut body).await.unwrap().contains("event: registered"));
    let mut comments = 0;
    while text(&mut body).await.is_some() {
        comments += 1;
    }
    assert!((54 * 4 - 1..=66 * 4).contains(&comments), "{comments} comments, 15 s apart");
    drop(body);
    assert_eq!(open().await.status(), 200);
}

#[tokio::test]
async fn streams_end_with_their_fleet_in_a_server_of_ones_own_too() {
    let fleet = fleet(0, 100);
    let mut body = body(&fleet).await;
    register(&fleet, 0..1);
    fleet.shutdown().await;
    assert!(text(&mut body).await.unwrap().contains("event: registered"), "what there is comes first");
    assert_eq!(text(&mut body).await, None);
}
