use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use daemon_lifecycle::{Health, Phase, Probe, ProbeFailure, is_daemon_healthy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

struct Endpoint {
    address: String,
    _server: JoinSet<()>,
}

impl Endpoint {
    async fn of(health: &Health) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let router: axum::Router = health.router();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("a listener") });
        Self { address, _server: server }
    }

    /// Head and body of the answer.
    async fn ask(&self, method: &str, path: &str, accept: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).await.expect("a server");
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("a whole answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_ascii_lowercase(), body.to_owned())
    }

    async fn status(&self, path: &str) -> u16 {
        let (head, _) = self.ask("GET", path, "*/*").await;
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
    }

    async fn body(&self, path: &str) -> String {
        self.ask("GET", path, "*/*").await.1
    }
}

#[tokio::test]
async fn each_phase_has_its_answers() {
    let health = Health::new();
    let endpoint = Endpoint::of(&health).await;
    for (phase, livez, readyz, startupz) in
        [(Phase::Starting, 200, 503, 503), (Phase::Serving, 200, 200, 200), (Phase::Draining, 200, 503, 200)]
    {
        health.set_phase(phase);
        assert_eq!(endpoint.status("/livez").await, livez, "{phase}");
        for path in ["/readyz", "/health", "/healthz"] {
            assert_eq!(endpoint.status(path).await, readyz, "{phase} {path}");
        }
        assert_eq!(endpoint.status("/startupz").await, startupz, "{phase}");
    }
    assert_eq!(endpoint.body("/readyz").await, "failed: phase (draining)");
    assert_eq!(endpoint.body("/livez").await, "ok");
}

#[tokio::test]
async fn a_failing_readiness_check_is_named_and_leaves_liveness_alone() {
    let health = Health::new();
    health.set_phase(Phase::Serving);
    health.readiness_check("queue", || Ok(()));
    health.readiness_check("store", || Err("disk full".to_owned()));
    let endpoint = Endpoint::of(&health).await;
    assert_eq!(endpoint.status("/readyz").await, 503);
    assert_eq!(endpoint.body("/readyz").await, "failed: store (disk full)");
    assert_eq!(endpoint.status("/livez").await, 200);

    health.readiness_check("store", || Ok(()));
    assert_eq!(endpoint.status("/readyz").await, 200);
}

#[tokio::test]
async fn a_worker_can_be_ready_only_once_it_has_done_its_first_task() {
    let done = Arc::new(AtomicU64::new(0));
    let health = Health::new();
    health.set_phase(Phase::Serving);
    health.readiness_check("first task", {
        let done = Arc::clone(&done);
        move || if done.load(Ordering::Relaxed) > 0 { Ok(()) } else { Err("not done".to_owned()) }
    });
    let endpoint = Endpoint::of(&health).await;
    for path in ["/readyz", "/healthz"] {
        assert_eq!(endpoint.status(path).await, 503, "{path}");
    }
    assert_eq!(endpoint.body("/readyz").await, "failed: first task (not done)");
    assert_eq!(endpoint.status("/livez").await, 200, "alive is not ready");
    done.fetch_add(1, Ordering::Relaxed);
    for path in ["/readyz", "/healthz"] {
        assert_eq!(endpoint.status(path).await, 200, "{path}");
    }
}

#[tokio::test]
async fn a_failing_or_panicking_liveness_check_fails_livez() {
    let health = Health::new();
    let endpoint = Endpoint::of(&health).await;
    health.liveness_check("driver", || Err("stopped".to_owned()));
    health.liveness_check("wheel", || panic!("on purpose"));
    assert_eq!(endpoint.status("/livez").await, 503);
    assert_eq!(endpoint.body("/livez").await, "failed: driver (stopped), wheel (check panicked)");
}

#[tokio::test]
async fn json_names_instance_pid_and_checks() {
    let health = Health::new();
    health.set_phase(Phase::Serving);
    health.readiness_check("store", || Ok(()));
    let endpoint = Endpoint::of(&health).await;
    for accept in ["application/health+json", "application/json"] {
        let (head, body) = endpoint.ask("GET", "/readyz", accept).await;
        assert!(head.contains("content-type: application/health+json"), "{head}");
        let expected = format!(
            r#"{{"status":"pass","instance_id":"{}","pid":{},"checks":{{"store":{{"status":"pass"}}}}}}"#,
            health.instance_id(),
            std::process::id()
        );
        assert_eq!(body, expected);
    }
    assert_eq!(Health::new().instance_id(), health.instance_id(), "one id per process");
}

#[tokio::test]
async fn answers_are_plain_text_never_cached_and_head_has_no_body() {
    let health = Health::new();
    let endpoint = Endpoint::of(&health).await;
    let (head, body) = endpoint.ask("GET", "/livez", "*/*").await;
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert_eq!(body, "ok");

    let (head, body) = endpoint.ask("HEAD", "/readyz", "*/*").await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert_eq!(body, "");

    let (head, _) = endpoint.ask("POST", "/livez", "*/*").await;
    assert!(head.starts_with("http/1.1 405 "), "{head}");
}

#[tokio::test]
async fn progress_is_told_in_both_forms_while_starting_and_no_longer() {
    let health = Health::new();
    let endpoint = Endpoint::of(&health).await;
    let told = async |path: &str| {
        let body = endpoint.ask("GET", path, "application/health+json").await.1;
        let document: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        document["progress"].clone()
    };
    assert_eq!(told("/startupz").await, serde_json::Value::Null);
    health.set_progress(5, 8);
    for path in ["/startupz", "/readyz"] {
        assert_eq!(told(path).await, 0.625, "{path}");
        assert_eq!(endpoint.body(path).await, "failed: phase (starting, 62 %)", "{path}");
    }
    health.set_progress(9, 8);
    assert_eq!(told("/readyz").await, 1.0);
    health.set_progress(1, 0);
    assert_eq!(told("/readyz").await, serde_json::Value::Null);
    health.set_progress(5, 8);
    health.set_phase(Phase::Draining);
    assert_eq!(told("/readyz").await, serde_json::Value::Null);
}

#[tokio::test]
async fn each_check_has_a_line_for_those_who_ask_for_more() {
    let health = Health::new();
    health.set_phase(Phase::Serving);
    health.readiness_check("queue", || Ok(()));
    health.readiness_check("store", || Err("disk full".to_owned()));
    let endpoint = Endpoint::of(&health).await;
    assert_eq!(endpoint.body("/readyz?verbose").await, "[+]queue ok\n[-]store failed: disk full\nfailed");
    assert_eq!(endpoint.status("/readyz?verbose").await, 503);
    assert_eq!(endpoint.body("/livez?verbose").await, "ok");
}

#[tokio::test]
async fn a_process_that_shuts_down_is_alive_and_never_ready_again() {
    let health = Health::new();
    health.set_phase(Phase::Serving);
    let endpoint = Endpoint::of(&health).await;
    assert_eq!(endpoint.status("/readyz").await, 200);
    health.shutting_down();
    // A start-up that is still under way.
    health.set_phase(Phase::Serving);
    assert_eq!(endpoint.status("/readyz").await, 503);
    assert_eq!(endpoint.body("/readyz").await, "failed: phase (draining)");
    assert_eq!(endpoint.status("/livez").await, 200);
    assert_eq!(endpoint.status("/startupz").await, 200);
}

#[tokio::test]
async fn the_probe_understands_the_endpoint() {
    let health = Health::new();
    let endpoint = Endpoint::of(&health).await;
    let url = format!("http://{}", endpoint.address);
    let error = is_daemon_healthy(&url, None, None).await.expect_err("still starting");
    assert_eq!(error.kind(), ProbeFailure::Status(503));
    assert_eq!(error.detail(), Some("failed: phase (starting)"));
    health.set_progress(1, 4);
    let error = is_daemon_healthy(&url, Some("/startupz"), None).await.expect_err("still starting");
    assert_eq!((error.progress(), error.detail()), (Some(0.25), Some("failed: phase (starting, 25 %)")));
    health.set_phase(Phase::Serving);
    is_daemon_healthy(&url, None, None).await.expect("serving");
    let answer = Probe::new(&url).expect("a URL").ask().await.expect("serving");
    assert_eq!((answer.status, answer.pid), (Some(200), Some(std::process::id())));
    assert_eq!(answer.instance_id.as_deref(), Some(health.instance_id()));
}
