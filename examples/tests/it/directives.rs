//! The example programs as processes, under a registry of a few lines that asks what a test tells it to.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use daemon_lifecycle::is_daemon_healthy;
use heartbeat_contract::{
    Ack, BeatInfo, Directive, HiveHeartbeat, Kind, Payload, Problem, ProblemType, WorkerHeartbeat, WorkerStatus, routes,
};
use heartbeat_sender::system_clock;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::waiting::until;

const INTERVAL_MS: u64 = 100;

/// Keeps what it is told, and asks the same with each ack.
struct Asking<P> {
    url: String,
    shared: Arc<Shared<P>>,
}

struct Shared<P> {
    token: String,
    asks: Mutex<Vec<Directive>>,
    told: Mutex<Vec<P>>,
}

impl<P: Payload> Asking<P> {
    async fn start(token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { token: token.to_owned(), asks: Mutex::default(), told: Mutex::new(Vec::new()) });
        let answering = Arc::clone(&shared);
        let answer = async move |headers: HeaderMap, Json(beat): Json<P>| answering.answer(&headers, beat);
        let app = Router::new().route(&routes::beat(&P::KIND), post(answer));
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, shared }
    }

    fn ask(&self, directives: &[Directive]) {
        *self.shared.asks.lock().unwrap() = directives.to_vec();
    }

    /// Waits until the latest beat is as it should be, and returns it.
    async fn until_told(&self, what: &str, is_so: impl Fn(&P) -> bool) -> P {
        until(what, async || self.shared.told.lock().unwrap().last().filter(|beat| is_so(beat)).cloned()).await
    }

    /// All beats so far.
    fn told(&self) -> Vec<P> {
        self.shared.told.lock().unwrap().clone()
    }
}

impl<P: Payload> Shared<P> {
    fn answer(&self, headers: &HeaderMap, beat: P) -> Response {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if token != Some(&format!("Bearer {}", self.token)) {
            let problem = Problem::new(ProblemType::Unauthorized, "the token is not known");
            return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
        }
        self.told.lock().unwrap().push(beat);
        let directives = self.asks.lock().unwrap().clone();
        let ack = Ack { acknowledged: true, server_time: system_clock(), next_in_ms: INTERVAL_MS, directives };
        Json(ack).into_response()
    }
}

fn example(program: &str, kind: &Kind, registry: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--registry", registry, "--id", kind.as_str(), "--interval", &format!("{INTERVAL_MS}ms")]);
    command.env_remove("HEARTBEAT_TOKEN_FILE").stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// A file of the name of its test.
fn token_file(name: &str, token: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, token).unwrap();
    path
}

async fn end_of(mut program: Child) -> ExitStatus {
    until("the end of the program", async || program.try_wait().unwrap()).await
}

fn beat<P: Payload>(payload: &P) -> &BeatInfo {
    payload.beat().expect("every beat is stamped")
}

fn done(worker: &WorkerHeartbeat) -> (bool, u64) {
    let progress = beat(worker).progress.as_ref().expect("the worker reports its progress");
    (progress.busy, progress.done)
}

#[tokio::test]
async fn a_worker_drains_when_asked_and_ends_when_asked() {
    let registry = Asking::<WorkerHeartbeat>::start("hush").await;
    let mut worker = example(env!("CARGO_BIN_EXE_worker"), &Kind::WORKER, &registry.url);
    let work = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    worker.args(["--work", work]).arg("--token-file").arg(token_file("worker_drains", "hush\n"));
    let worker = worker.spawn().unwrap();
    let working = |beat: &WorkerHeartbeat| beat.status == Some(WorkerStatus::Busy) && done(beat).1 > 0;
    let first = registry.until_told("work", working).await;
    let health = beat(&first).endpoint.clone().unwrap();
    is_daemon_healthy(&health, None, None).await.unwrap();

    registry.ask(&[Directive::Drain]);
    let drained = |beat: &WorkerHeartbeat| beat.status == Some(WorkerStatus::Draining) && !done(beat).0;
    let (_, in_the_end) = done(&registry.until_told("a worker that has drained", drained).await);
    let not_ready = until("not ready", async || is_daemon_healthy(&health, None, None).await.err()).await;
    assert!(not_ready.to_string().contains("draining"), "{not_ready}");
    let so_far = registry.told().len();
    until("more beats", async || (registry.told().len() > so_far + 10).then_some(())).await;

    registry.ask(&[Directive::Shutdown]);
    registry.until_told("a goodbye", |worker| beat(worker).leaving.is_some()).await;
    assert!(end_of(worker).await.success());
    let told = registry.told();
    let since = told.iter().skip_while(|worker| worker.status != Some(WorkerStatus::Draining));
    assert!(since.clone().all(|worker| worker.status == Some(WorkerStatus::Draining)));
    assert!(since.skip_while(|worker| done(worker).0).all(|worker| done(worker) == (false, in_the_end)));
}

#[tokio::test]
async fn a_hive_ends_when_asked() {
    let registry = Asking::<HiveHeartbeat>::start("hush").await;
    let mut hive = example(env!("CARGO_BIN_EXE_hive"), &Kind::HIVE, &registry.url);
    let hive = hive.env("HEARTBEAT_TOKEN_FILE", token_file("hive_ends", "hush")).spawn().unwrap();
    registry.until_told("a beat", |_| true).await;
    registry.ask(&[Directive::Drain, Directive::Shutdown]);
    registry.until_told("a goodbye", |hive| beat(hive).leaving.is_some()).await;
    assert!(end_of(hive).await.success());
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_told_with_its_path_and_cause() {
    for (program, kind) in [(env!("CARGO_BIN_EXE_worker"), Kind::WORKER), (env!("CARGO_BIN_EXE_hive"), Kind::HIVE)] {
        let mut command = example(program, &kind, "http://127.0.0.1:1");
        let ended = command.args(["--token-file", "/no-file-has-this-name"]).output();
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it does not start").unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("/no-file-has-this-name") && said.contains("No such file"), "{said}");
    }
}
