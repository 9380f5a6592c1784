//! Who may do what over real sockets, by bearer tokens and by the host that a request is for.

use heartbeat_registry::contract::{BatchAnswer, HiveHeartbeat, WorkerHeartbeat};
use heartbeat_registry::http::{Api, Hosts, Secret, ServeConfig, Token, TokenFile, Tokens, not_found, router};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;

use crate::tail::Tail;
use crate::token_files::Folder;
use crate::wire::{Connection, Server};
use crate::world::plain;

const BEAT: &str = "/v1/worker-heartbeat";
const JSON: &str = "content-type: application/json\r\n";

/// A token for what its scopes, separated by spaces, say.
pub(crate) fn token(name: &str, scopes: &str) -> (Token, Secret) {
    let secret = Secret::generate().unwrap();
    let scopes = scopes.split(' ').map(|scope| scope.parse().unwrap()).collect();
    (Token::new(name, scopes, &secret, Timestamp::UNIX_EPOCH).unwrap(), secret)
}

/// A server that knows one token, and the header that presents it.
async fn guarded_for(scopes: &str) -> (Server, String) {
    let (token, secret) = token("ours", scopes);
    let tokens = Tokens::fixed([token]).unwrap();
    (guarded_by(tokens).await, bearer(secret.expose()))
}

async fn guarded_by(tokens: Tokens) -> Server {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let app = Api::new(&fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().tokens(tokens).router();
    let app = app.fallback(not_found);
    Server::of(ServeConfig::default(), fleet, app).await
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[track_caller]
fn assert_untouched(server: &Server) {
    let stats = server.fleet.stats();
    assert_eq!((stats.members.total, stats.beats.fresh), (0, 0));
    assert!(server.fleet.events(None, 10).events.is_empty());
}

#[tokio::test]
async fn without_a_known_token_every_route_answers_401_and_no_member_exists() {
    let (server, ours) = guarded_for("beat:*: operate").await;
    let mut connection = server.connect().await;
    let unknown = bearer(Secret::generate().unwrap().expose());
    let credentials = ["", &unknown, &ours.replace("Bearer", "Basic"), &ours.replace("Bearer ", ""), &ours.repeat(2)];
    for (method, path) in [
        ("POST", BEAT),
        ("POST", "/v1/hive/heartbeat"),
        ("POST", "/v1/heartbeats"),
        ("GET", "/v1/workers"),
        ("GET", "/v1/workers/w"),
        ("DELETE", "/v1/workers/w"),
        ("GET", "/v1/stats"),
        ("GET", "/v1/events"),
    ] {
        for credentials in credentials {
            let headers = format!("{credentials}{JSON}");
            let answer = connection.send(method, path, &headers, br#"{"worker_id": "w", "hive_id": "h"}"#).await;
            let problem = answer.problem();
            assert_eq!((answer.status, problem.slug()), (401, "unauthorized"), "{method} {path} {credentials}");
            assert!(answer.head.contains("\r\nwww-authenticate: bearer\r\n"), "{}", answer.head);
            assert!(!problem.detail.contains("hb_"), "{}", problem.detail);
        }
    }
    assert_untouched(&server);
    assert_eq!(connection.send("POST", BEAT, &format!("{ours}{JSON}"), br#"{"worker_id": "w"}"#).await.status, 200);
}

#[tokio::test]
async fn each_right_needs_its_scope() {
    for (scopes, allowed) in [
        ("read", ["GET"].as_slice()),
        ("operate", &["GET", "DELETE"]),
        ("beat:worker:", &["POST"]),
        ("beat:*:w", &["POST"]),
        ("beat:worker:w read", &["GET", "POST"]),
    ] {
        let (server, ours) = guarded_for(scopes).await;
        let mut connection = server.connect().await;
        for (method, path, success) in
            [("POST", BEAT, 200), ("GET", "/v1/workers", 200), ("DELETE", "/v1/workers/none", 404)]
        {
            let answer = connection.send(method, path, &format!("{ours}{JSON}"), br#"{"worker_id": "w"}"#).await;
            let expected = if allowed.contains(&method) { success } else { 403 };
            assert_eq!(answer.status, expected, "{scopes}: {method}");
            if expected == 403 {
                let problem = answer.problem();
                assert_eq!(problem.slug(), "forbidden");
                assert!(problem.detail.contains("the token ours may not"), "{}", problem.detail);
            }
        }
    }
}

#[tokio::test]
async fn a_beat_for_another_id_is_forbidden_before_its_member_exists() {
    let (server, ours) = guarded_for("beat:worker:rack-7-").await;
    let mut connection = server.connect().await;
    let headers = format!("{ours}{JSON}");
    for (path, beat) in [
        (BEAT, r#"{"worker_id": "rack-8-a"}"#),
        (BEAT, r#"{"worker_id": "rack-7"}"#),
        (BEAT, r#"{"worker_id": "RACK-7-a"}"#),
        ("/v1/hive-heartbeat", r#"{"hive_id": "rack-7-a"}"#),
    ] {
        let answer = connection.send("POST", path, &headers, beat.as_bytes()).await;
        assert_eq!((answer.status, answer.problem().slug()), (403, "forbidden"), "{beat}");
    }
    assert_untouched(&server);
    assert_eq!(connection.send("POST", BEAT, &headers, br#"{"worker_id": "rack-7-a"}"#).await.status, 200);
    assert_eq!(server.members(), 1);
}

#[tokio::test]
async fn in_a_batch_each_item_is_allowed_by_itself() {
    let (server, ours) = guarded_for("beat:worker:rack-7-").await;
    let batch = br#"{"workers": [{"worker_id": "rack-8-a"}, {"worker_id": "rack-7-a"}], "hives": [{"hive_id": "h"}]}"#;
    let answer = server.connect().await.send("POST", "/v1/heartbeats", &format!("{ours}{JSON}"), batch).await;
    let answer: BatchAnswer = answer.json();
    assert_eq!(answer.accepted, 1);
    let rejected: Vec<_> = answer.rejected.iter().map(|item| (item.id.as_deref(), item.problem.as_str())).collect();
    assert_eq!(rejected, [(Some("rack-8-a"), "forbidden"), (Some("h"), "forbidden")]);
    assert_eq!(server.members(), 1);
}

#[tokio::test]
async fn who_may_not_beat_at_all_is_refused_whatever_the_body_is() {
    let (server, ours) = guarded_for("read").await;
    let mut connection = server.connect().await;
    for (credentials, status) in [("", 401), (ours.as_str(), 403)] {
        for (content_type, body) in [(JSON, "nonsense"), (JSON, ""), ("content-type: text/plain\r\n", "x")] {
            let answer = connection.send("POST", BEAT, &format!("{credentials}{content_type}"), body.as_bytes()).await;
            assert_eq!(answer.status, status, "{content_type}{body}");
        }
    }
    let large = vec![b'x'; 3 * 1024 * 1024];
    let answer = connection.send("POST", BEAT, JSON, &large).await;
    assert_eq!(answer.status, 401, "it is not read to say that it is too large");
    assert_untouched(&server);
}

#[tokio::test]
async fn a_guarded_app_answers_only_to_the_names_of_this_machine() {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let app = Hosts::loopback().guard(router(&fleet).fallback(not_found));
    let server = Server::of(ServeConfig::default(), fleet, app).await;
    let mut connection = server.connect().await;
    for (host, status) in [("rebound.example:8500", 403), ("localhost:8500", 200), ("127.0.0.1", 200), ("[::1]:1", 200)]
    {
        let answer = addressed(&mut connection, "GET", "/v1/stats", host, "", "").await;
        assert_eq!(answer.status, status, "{host}");
        if status == 403 {
            let problem = answer.problem();
            assert!(problem.slug() == "forbidden" && problem.detail.contains(host), "{}", problem.detail);
        }
        let nowhere = addressed(&mut connection, "GET", "/nowhere", host, "", "").await;
        assert_eq!(nowhere.status, if status == 403 { 403 } else { 404 });
    }
    let beat = r#"{"worker_id": "w"}"#;
    assert_eq!(addressed(&mut connection, "POST", BEAT, "rebound.example", JSON, beat).await.status, 403);
    let foreign = format!("{JSON}origin: http://page.example\r\n");
    assert_eq!(addressed(&mut connection, "POST", BEAT, "127.0.0.1", &foreign, beat).await.status, 403);
    assert_untouched(&server);
    assert_eq!(addressed(&mut connection, "POST", BEAT, "127.0.0.1", JSON, beat).await.status, 200);
}

async fn addressed(
    connection: &mut Connection,
    method: &str,
    path: &str,
    host: &str,
    headers: &str,
    body: &str,
) -> crate::wire::Answer {
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n{body}");
    connection.stream.write_all(request.as_bytes()).await.unwrap();
    connection.answer().await.expect("the connection answers")
}

#[tokio::test]
async fn a_stream_of_events_ends_once_its_token_is_revoked() {
    let folder = Folder::new();
    let file = TokenFile::at(folder.path("tokens"));
    let (ours, secret) = token("ours", "read");
    file.add(&ours).unwrap();
    let server = guarded_by(Tokens::open(folder.path("tokens")).unwrap()).await;
    assert_eq!(server.connect().await.get("/v1/events").await.status, 401);
    let authorization = bearer(secret.expose());
    let mut tail = Tail::open_with(server.connect().await.stream, "?since=0", &authorization).await;
    WorkerRegistry::new(&server.fleet).record(plain("w")).unwrap();
    assert_eq!(tail.frames(2).await[1].event.as_deref(), Some("registered"));
    assert!(file.remove("ours").unwrap());
    assert_eq!(tail.rest().await.len(), 2, "it ends, although nothing else happens");
}
