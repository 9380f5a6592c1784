//! Verifying over HTTP, and towards whom.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use heartbeat_registry::client::Client;
use heartbeat_registry::contract::{HiveHeartbeat, HostFrom, Kind, Problem, ProblemType, WorkerHeartbeat};
use heartbeat_registry::http::{Api, ServeConfig, not_found, router, serve};
use heartbeat_registry::verify::{Network, Verifier, VerifyConfig};
use heartbeat_registry::{Fleet, FleetConfig};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::endpoint::{Endpoint, OK, status};
use crate::world::{id, secs};

/// A server of workers and hives that verifies.
struct Server {
    fleet: Fleet,
    url: String,
    client: Client,
}

impl Server {
    async fn start() -> Self {
        Self::with(VerifyConfig { timeout: secs(30), ..VerifyConfig::default() }).await
    }

    async fn allowing(networks: &[&str]) -> Self {
        let allowed_networks = networks.iter().map(|network| network.parse::<Network>().unwrap()).collect();
        Self::with(VerifyConfig { timeout: secs(30), allowed_networks, ..VerifyConfig::default() }).await
    }

    async fn with(config: VerifyConfig) -> Self {
        let fleet = Fleet::start(FleetConfig::default()).unwrap();
        let verifier = Verifier::new(&fleet, config).unwrap();
        let api = Api::new(&fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().verify(&verifier);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().merge(api.router()).fallback(not_found);
        tokio::spawn(serve(listener, app, ServeConfig::default(), std::future::pending()));
        let client = Client::new(&url).unwrap();
        Self { fleet, url, client }
    }

    /// Takes a beat of a worker as if it came from an address.
    async fn hear(&self, from: &str, name: &str, fields: &str) {
        let from = ConnectInfo(SocketAddr::new(from.parse().unwrap(), 4711));
        self.take(Request::post("/v1/worker-heartbeat").extension(from), name, fields).await;
    }

    async fn take(&self, request: axum::http::request::Builder, name: &str, fields: &str) {
        let body = Body::from(format!(r#"{{"worker_id": "{name}", "beat": {{{fields}}}}}"#));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let answer = router::<()>(&self.fleet).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    async fn hear_at(&self, from: &str, name: &str, endpoint: &str) {
        self.hear(from, name, &format!(r#""endpoint": "{endpoint}""#)).await;
    }

    async fn refused(&self, name: &str) -> Problem {
        let refused = self.client.verify(&Kind::WORKER, &id(name)).await.unwrap_err();
        refused.problem().unwrap_or_else(|| panic!("a problem: {refused}")).clone()
    }
}

#[tokio::test]
async fn an_endpoint_where_the_beats_come_from_is_probed() {
    let endpoint = Endpoint::answering(status("503 Service Unavailable", "loading")).await;
    let server = Server::start().await;
    for from in ["127.0.0.1", "::ffff:127.0.0.1", "::1"] {
        server.hear_at(from, "w", &endpoint.url()).await;
        let found = server.client.verify(&Kind::WORKER, &id("w")).await.unwrap();
        assert_eq!(found.http_status, Some(503), "{from}");
    }
}

#[tokio::test]
async fn an_endpoint_elsewhere_is_not_touched_and_the_refusal_names_address_and_rule() {
    let endpoint = Endpoint::answering(OK).await;
    let port = endpoint.port();
    let server = Server::allowing(&["10.9.0.0/16", "0.0.0.0/0"]).await;
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("169.254.169.254", "169.254.169.254"),
    ] {
        server.hear_at("10.0.0.5", "w", &format!("http://{host}:{port}")).await;
        let problem = server.refused("w").await;
        assert_eq!(problem.problem_type(), Some(ProblemType::Forbidden), "{host}");
        assert!(problem.detail.contains(address), "{}", problem.detail);
        let rule = "but may only be at 10.0.0.5, where the beats come from, or in 10.9.0.0/16, 0.0.0.0/0";
        assert!(problem.detail.ends_with(rule), "{}", problem.detail);
    }
    assert_eq!(endpoint.asked(), 0);
}

#[tokio::test]
async fn an_endpoint_in_a_network_that_is_allowed_is_probed() {
    let endpoint = Endpoint::answering(OK).await;
    let server = Server::allowing(&["10.0.0.0/8", "127.0.0.0/8"]).await;
    server.hear_at("10.0.0.5", "w", &format!("http://localhost:{}", endpoint.port())).await;
    assert!(server.client.verify(&Kind::WORKER, &id("w")).await.unwrap().is_healthy());
}

#[tokio::test]
async fn behind_a_proxy_only_networks_can_be_allowed() {
    let endpoint = Endpoint::answering(OK).await;
    let strict = VerifyConfig { timeout: secs(30), allow_own_address: false, ..VerifyConfig::default() };
    let allowed_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let allowing = Server::with(VerifyConfig { allowed_networks, ..strict.clone() }).await;
    let server = Server::with(strict).await;
    for from in ["127.0.0.1", "::1", "10.0.0.5"] {
        server.hear_at(from, "w", &endpoint.url()).await;
        assert_eq!(server.refused("w").await.problem_type(), Some(ProblemType::Forbidden), "{from}");
    }
    assert_eq!(endpoint.asked(), 0);
    allowing.hear_at("10.0.0.5", "w", &endpoint.url()).await;
    assert!(allowing.client.verify(&Kind::WORKER, &id("w")).await.unwrap().is_healthy());
}

#[tokio::test]
async fn members_that_come_from_nobody_knows_where_are_not_taken_for_local_ones() {
    let endpoint = Endpoint::answering(OK).await;
    let server = Server::start().await;
    let fields = format!(r#""endpoint": "{}""#, endpoint.url());
    server.take(Request::post("/v1/worker-heartbeat"), "w", &fields).await;
    let view = server.client.member(&Kind::WORKER, &id("w")).await.unwrap();
    assert_eq!((view.host.as_str(), view.host_from, view.address), ("unknown", HostFrom::Unknown, None));
    assert_eq!(server.refused("w").await.problem_type(), Some(ProblemType::Forbidden));
    assert_eq!(endpoint.asked(), 0);

    let allowing = Server::allowing(&["127.0.0.0/8"]).await;
    allowing.take(Request::post("/v1/worker-heartbeat"), "w", &fields).await;
    assert!(allowing.client.verify(&Kind::WORKER, &id("w")).await.unwrap().is_healthy());
}

#[tokio::test]
async fn what_cannot_be_verified_is_a_problem_of_its_own_type() {
    let server = Server::start().await;
    let unknown = server.client.verify(&Kind::WORKER, &id("ghost")).await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");

    server.hear("127.0.0.1", "shy", "").await;
    let shy = server.refused("shy").await;
    assert_eq!((shy.status, shy.errors[0].pointer.as_str()), (422, "/beat/endpoint"));
    server.hear_at("127.0.0.1", "odd", "ftp://127.0.0.1/").await;
    let odd = server.refused("odd").await;
    assert_eq!((odd.status, odd.errors[0].pointer.as_str()), (422, "/beat/endpoint"));
    server.hear_at("127.0.0.1", "named", "http://me:secret@127.0.0.1/").await;
    let named = server.refused("named").await;
    assert_eq!((named.status, named.errors[0].pointer.as_str()), (422, "/beat/endpoint"));
    server.hear_at("127.0.0.1", "private", "https://127.0.0.1:1").await;
    let private = server.client.verify(&Kind::WORKER, &id("private")).await;
    // With TLS built in, as another crate of this build may ask for, nobody listens.
    assert!(private.map_or_else(|error| error.to_string().contains("`rustls`"), |found| !found.is_healthy()));

    server.hear("127.0.0.1", "gone", r#""incarnation": 1, "seq": 0"#).await;
    server.hear("127.0.0.1", "gone", r#""incarnation": 1, "seq": 1, "leaving": "done""#).await;
    assert_eq!(server.refused("gone").await.problem_type(), Some(ProblemType::StaleIncarnation));
}

#[tokio::test]
async fn beyond_the_bound_callers_are_asked_to_come_back_later() {
    let endpoint = Endpoint::waiting(OK).await;
    let server = Server::with(VerifyConfig { timeout: secs(30), at_once: 1, ..VerifyConfig::default() }).await;
    server.hear_at("127.0.0.1", "slow", &endpoint.url()).await;
    server.hear_at("127.0.0.1", "next", &endpoint.url()).await;
    let meanwhile = async {
        endpoint.is_asked(1).await;
        assert_eq!(server.refused("next").await.problem_type(), Some(ProblemType::Overloaded));
        endpoint.answer_one();
    };
    let (kind, slow) = (Kind::WORKER, id("slow"));
    let (slow, ()) = tokio::join!(server.client.verify(&kind, &slow), meanwhile);
    assert!(slow.unwrap().is_healthy());
}

#[tokio::test]
async fn hives_are_verified_by_the_same_call_and_an_app_without_a_verifier_has_none() {
    let endpoint = Endpoint::answering(OK).await;
    let server = Server::start().await;
    let hives = heartbeat_registry::HiveRegistry::new(&server.fleet);
    let mut beat = HiveHeartbeat::new(id("h"));
    beat.beat.get_or_insert_default().endpoint = Some(endpoint.url());
    hives.record(beat).unwrap();
    assert!(server.client.verify(&Kind::HIVE, &id("h")).await.unwrap().is_healthy());

    let request = || Request::post("/v1/hives/h/verify").body(Body::empty()).unwrap();
    let answer = router::<()>(&server.fleet).oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), 404);
    let verifier = Verifier::new(&server.fleet, VerifyConfig::default()).unwrap();
    let workers_alone = Api::new(&server.fleet).kind::<WorkerHeartbeat>().verify(&verifier).router::<()>();
    let get = Request::get("/v1/workers/w/verify").body(Body::empty()).unwrap();
    assert_eq!(workers_alone.clone().oneshot(request()).await.unwrap().status(), 404);
    assert_eq!(workers_alone.oneshot(get).await.unwrap().status(), 405);
}

#[cfg(feature = "server")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_ends_with_0_only_if_the_member_is_healthy() {
    let (fit, unfit) =
        (Endpoint::answering(OK).await, Endpoint::answering(status("503 Service Unavailable", "")).await);
    let server = Server::start().await;
    server.hear_at("127.0.0.1", "fit", &fit.url()).await;
    server.hear_at("127.0.0.1", "unfit", &unfit.url()).await;
    server.hear("127.0.0.1", "shy", "").await;
    server.hear_at("10.0.0.5", "elsewhere", &fit.url()).await;
    let run = |registry: &str, name: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heartbeat-registry"));
        command.args(["verify", name, "--registry", registry]);
        let done = tokio::task::block_in_place(|| command.output().unwrap());
        let shown = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        (done.status.code().unwrap(), shown)
    };
    for (name, code, says) in [
        ("fit", 0, "status 200"),
        ("unfit", 1, "unfit is not healthy: unhealthy, status 503"),
        ("shy", 1, "tells no endpoint"),
        ("ghost", 3, "no worker ghost is known"),
        ("elsewhere", 4, "may only be at 10.0.0.5"),
    ] {
        let (ended, shown) = run(&server.url, name);
        assert!(ended == code && shown.contains(says), "{name} ended with {ended}: {shown}");
    }
    let (_taken, nobody) = crate::endpoint::refusing();
    assert_eq!(run(&nobody, "fit").0, 5);
}

#[cfg(feature = "server")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_behind_a_proxy_verifies_by_networks_alone_if_told_so() {
    use crate::token_commands::{Registry, command};
    let endpoint = Endpoint::answering(OK).await;
    let beat = format!(r#"{{"worker_id": "w", "beat": {{"endpoint": "{}"}}}}"#, endpoint.url());
    for (args, code) in [
        (["--verify-only-networks"].as_slice(), 4),
        (&["--verify-only-networks", "--verify-network", "127.0.0.0/8"], 0),
        (&[], 0),
    ] {
        let registry = Registry::start(args);
        assert_eq!(registry.connect().await.post("/v1/worker-heartbeat", beat.as_bytes()).await.status, 200);
        let mut verify = command(&["verify", "w", "--registry", &registry.url()]);
        let done = tokio::task::block_in_place(|| verify.output().unwrap());
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// What an endpoint would have the terminal do.
#[cfg(feature = "server")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_tells_does_not_reach_the_terminal_as_it_is() {
    use crate::token_commands::command;
    let server = Server::start().await;
    server.hear_at("127.0.0.1", "w", r"http://\u001b]0;pwned\u0007\u001b[2J x/").await;
    let mut verify = command(&["verify", "w", "--registry", &server.url]);
    let done = tokio::task::block_in_place(|| verify.output().unwrap());
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(told.contains("pwned") && !told.trim_end().contains(char::is_control), "{told:?}");
}
