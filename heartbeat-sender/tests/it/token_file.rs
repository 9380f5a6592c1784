//! A token that is kept in a file and replaced while the loop runs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartbeat_contract::{MemberId, WorkerHeartbeat};
use heartbeat_sender::{
    ConfigError, HeartbeatHandle, HttpTransport, Outcome, Outcomes, Transport, WorkerHeartbeatConfig,
    start_worker_heartbeat_task,
};

use crate::registry::{BOUND, Connection, Registry, Request, soon};

const UNAUTHORIZED: &str =
    r#"{"type":"/problems/unauthorized","title":"Unauthorized","status":401,"detail":"the token is not known"}"#;

/// A file of the name of its test.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What a run that was killed has left may be a pipe.
    fs::remove_file(&path).ok();
    fs::write(&path, content).unwrap();
    path
}

/// Beats every minute, so that only what a test asks for happens.
fn worker(registry: &Registry, token: &Path) -> WorkerHeartbeatConfig {
    let mut config = WorkerHeartbeatConfig::new("worker-123", &registry.url);
    config.interval = Duration::from_secs(60);
    config.request_timeout = Some(config.interval);
    config.bearer_token_file = Some(token.to_owned());
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

fn token(request: &Request) -> &str {
    request.header("authorization").expect("a token").strip_prefix("bearer ").expect("a bearer token")
}

async fn refuse(connection: &mut Connection) {
    connection.answer("401 Unauthorized", "content-type: application/problem+json\r\n", UNAUTHORIZED).await;
}

async fn expect_refused(outcomes: &mut Outcomes, seq: u64) {
    match outcome(outcomes).await {
        Outcome::Failed { seq: failed, error, .. } => assert_eq!((failed, error.status()), (seq, Some(401))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_token_is_what_the_file_holds_without_trailing_whitespace() {
    let registry = Registry::listen().await;
    let (_handle, mut outcomes) = start(worker(&registry, &file("trailing_whitespace", b"first \r\n\n")));
    let (mut connection, request) = registry.hear().await;
    assert_eq!(token(&request), "first");
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { seq: 0, .. }));
}

#[tokio::test]
async fn a_beat_refused_for_a_token_that_was_replaced_is_sent_once_more_at_once() {
    let registry = Registry::listen().await;
    let path = file("replaced", b"first\n");
    let (handle, mut outcomes) = start(worker(&registry, &path));
    let (mut connection, refused) = registry.hear().await;
    fs::write(&path, "second\n").unwrap();
    refuse(&mut connection).await;
    let again = connection.hear().await.unwrap();
    assert_eq!((token(&refused), token(&again)), ("first", "second"));
    assert_eq!((again.seq(), &again.body), (0, &refused.body));
    connection.acknowledge().await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Acknowledged { seq: 0, .. }));

    handle.beat_now();
    assert_eq!(token(&connection.hear().await.unwrap()), "second", "and it stays");
}

#[tokio::test]
async fn a_replaced_token_that_is_refused_too_is_not_sent_a_third_time() {
    let registry = Registry::listen().await;
    let path = file("refused_too", b"first");
    let (handle, mut outcomes) = start(worker(&registry, &path));
    let (mut connection, _) = registry.hear().await;
    fs::write(&path, "second").unwrap();
    refuse(&mut connection).await;
    connection.hear().await.unwrap();
    fs::write(&path, "third").unwrap();
    refuse(&mut connection).await;
    expect_refused(&mut outcomes, 0).await;
    handle.beat_now();
    assert_eq!(connection.hear().await.unwrap().seq(), 1);
}

#[tokio::test]
async fn a_refused_token_that_is_still_the_same_waits_for_the_next_beat() {
    let registry = Registry::listen().await;
    let path = file("still_the_same", b"first");
    let (handle, mut outcomes) = start(worker(&registry, &path));
    let (mut connection, _) = registry.hear().await;
    refuse(&mut connection).await;
    expect_refused(&mut outcomes, 0).await;

    handle.beat_now();
    let next = connection.hear().await.unwrap();
    assert_eq!((next.seq(), token(&next)), (1, "first"));
    fs::write(&path, "second").unwrap();
    refuse(&mut connection).await;
    let again = connection.hear().await.unwrap();
    assert_eq!((again.seq(), token(&again)), (1, "second"), "each refusal reads the file again");
}

#[tokio::test]
async fn a_file_that_is_gone_or_empty_for_a_while_keeps_the_last_token() {
    let registry = Registry::listen().await;
    let path = file("gone_for_a_while", b"first");
    let (handle, mut outcomes) = start(worker(&registry, &path));
    let (mut connection, _) = registry.hear().await;
    fs::remove_file(&path).unwrap();
    refuse(&mut connection).await;
    expect_refused(&mut outcomes, 0).await;

    handle.beat_now();
    assert_eq!(token(&connection.hear().await.unwrap()), "first");
    fs::write(&path, "\n").unwrap();
    refuse(&mut connection).await;
    expect_refused(&mut outcomes, 1).await;

    handle.beat_now();
    connection.hear().await.unwrap();
    fs::write(&path, "second").unwrap();
    refuse(&mut connection).await;
    assert_eq!(token(&connection.hear().await.unwrap()), "second");
}

#[tokio::test]
async fn refusals_of_another_kind_do_not_read_the_file() {
    let registry = Registry::listen().await;
    let path = file("not_found", b"first");
    let (handle, mut outcomes) = start(worker(&registry, &path));
    let (mut connection, _) = registry.hear().await;
    fs::write(&path, "second").unwrap();
    connection.answer("404 Not Found", "", "").await;
    assert!(matches!(outcome(&mut outcomes).await, Outcome::Failed { .. }));
    handle.beat_now();
    let (_connection, next) = registry.hear().await;
    assert_eq!((next.seq(), token(&next)), (1, "first"));
}

#[tokio::test]
async fn a_given_token_that_is_refused_is_not_sent_again() {
    let registry = Registry::listen().await;
    let mut config = worker(&registry, Path::new("unused"));
    config.bearer_token = Some("given".to_owned());
    config.bearer_token_file = None;
    let (handle, mut outcomes) = start(config);
    let (mut connection, _) = registry.hear().await;
    refuse(&mut connection).await;
    expect_refused(&mut outcomes, 0).await;
    handle.beat_now();
    assert_eq!(connection.hear().await.unwrap().seq(), 1);
}

/// A pipe in place of a file: it hangs whoever reads it, as a file system may that has gone away, until it is let go.
#[cfg(unix)]
struct Pipe {
    path: PathBuf,
    release: std::sync::mpsc::Sender<()>,
    holding: std::thread::JoinHandle<bool>,
    opened: tokio::sync::oneshot::Receiver<()>,
}

#[cfg(unix)]
impl Pipe {
    fn instead_of(path: &Path) -> Self {
        fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        let (release, released) = std::sync::mpsc::channel();
        let (tell_opened, opened) = tokio::sync::oneshot::channel();
        let holding = std::thread::spawn({
            let path = path.to_owned();
            move || {
                // Returns when there is a reader.
                let _writer = fs::OpenOptions::new().write(true).open(path).unwrap();
                tell_opened.send(()).ok();
                released.recv_timeout(BOUND).is_ok()
            }
        });
        Self { path: path.to_owned(), release, holding, opened }
    }

    /// Waits until somebody hangs.
    async fn hangs(&mut self) {
        soon(&mut self.opened).await.unwrap();
    }

    /// Returns whether it hung its reader until now.
    fn let_go(self) -> bool {
        self.release.send(()).ok();
        fs::remove_file(self.path).unwrap();
        self.holding.join().unwrap()
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_hangs_hangs_neither_the_runtime_nor_later_beats() {
    let registry = Registry::listen().await;
    let path = file("hangs", b"first");
    let transport = HttpTransport::new(&registry.url).unwrap().with_bearer_token_file(&path).unwrap();
    let mut pipe = Pipe::instead_of(&path);
    let beat = || WorkerHeartbeat::new(MemberId::new("worker-123").unwrap());

    let first_refused = async {
        let (mut connection, _) = registry.hear().await;
        refuse(&mut connection).await;
        pipe.hangs().await;
        connection
    };
    let mut connection = tokio::select! {
        answer = transport.send(beat()) => panic!("the file was not waited for: {answer:?}"),
        connection = first_refused => connection,
    };
    let second_refused = async {
        connection.hear().await.unwrap();
        refuse(&mut connection).await;
    };
    let (answer, ()) = soon(async { tokio::join!(transport.send(beat()), second_refused) }).await;
    assert_eq!(answer.unwrap_err().status(), Some(401), "without a second reader");
    assert!(pipe.let_go(), "this runtime did not wait for it");
}

#[test]
fn a_file_without_a_token_starts_nothing_and_names_path_and_cause() {
    let refused = |path: &Path| {
        let mut config = WorkerHeartbeatConfig::new("worker-123", "http://127.0.0.1:1");
        config.bearer_token_file = Some(path.to_owned());
        let from_config = start_worker_heartbeat_task(config).unwrap_err();
        let transport = HttpTransport::new("http://127.0.0.1:1").unwrap();
        let from_transport = transport.with_bearer_token_file(path).unwrap_err();
        assert_eq!(from_config.to_string(), from_transport.to_string());
        assert_eq!(from_config.to_string(), format!("cannot take the bearer token from {path:?}"));
        assert!(!format!("{from_config:?}").contains("secret"));
        from_config.source().unwrap().to_string()
    };
    assert!(refused(Path::new("/no-file-has-this-name")).starts_with("No such file or directory"));
    assert_eq!(refused(&file("empty", b"")), "it is empty");
    assert_eq!(refused(&file("blank", b" \n\t\n")), "it is empty");
    assert_eq!(refused(&file("two_lines", b"secret\nsecret\n")), "it has characters that no HTTP header can carry");
    assert_eq!(refused(&file("too_long", &[b'x'; 64 * 1024 + 1])), "it is longer than 64 KiB");
}

#[test]
fn a_token_and_a_file_for_one_are_one_too_many() {
    let path = file("one_too_many", b"secret");
    let mut config = WorkerHeartbeatConfig::new("worker-123", "http://127.0.0.1:1");
    config.bearer_token_file = Some(path.clone());
    assert!(config.validate().is_ok());
    config.bearer_token = Some("secret".to_owned());
    assert!(matches!(config.validate(), Err(ConfigError::TwoBearerTokens)));
    assert!(matches!(start_worker_heartbeat_task(config), Err(ConfigError::TwoBearerTokens)));

    let transport = || HttpTransport::new("http://127.0.0.1:1").unwrap();
    let given_first = transport().with_bearer_token("secret").unwrap();
    assert!(matches!(given_first.with_bearer_token_file(&path), Err(ConfigError::TwoBearerTokens)));
    let file_first = transport().with_bearer_token_file(&path).unwrap();
    assert!(!format!("{file_first:?}").contains("secret"), "{file_first:?}");
    assert!(matches!(file_first.with_bearer_token("secret"), Err(ConfigError::TwoBearerTokens)));
}
