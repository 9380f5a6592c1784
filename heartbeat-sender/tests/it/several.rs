//! Several registries over real sockets.

use std::path::Path;
use std::time::Duration;

use heartbeat_sender::{ConfigError, Outcome, WorkerHeartbeatConfig, start_worker_heartbeat_task};

use crate::registry::{Registry, soon};

/// Beats every minute, so that only what a test asks for happens.
fn worker(first: &str, second: &str) -> WorkerHeartbeatConfig {
    let mut config = WorkerHeartbeatConfig::new("worker-123", first);
    config.further_registry_urls = vec![second.to_owned()];
    config.interval = Duration::from_secs(60);
    config.request_timeout = Some(config.interval / 2);
    config
}

fn file(name: &str, content: &str) -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[cfg(unix)]
#[tokio::test]
async fn beats_go_over_a_socket_and_directly_after_one_miss() {
    use crate::registry::Connection;

    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beats.sock");
    std::fs::remove_file(&path).ok();
    let socket = tokio::net::UnixListener::bind(&path).unwrap();
    let direct = Registry::listen().await;
    let handle = start_worker_heartbeat_task(worker(&format!("unix://{}", path.display()), &direct.url)).unwrap();
    let mut outcomes = handle.outcomes();
    let mut relayed = Connection(soon(socket.accept()).await.unwrap().0);
    let request = relayed.hear().await.unwrap();
    assert_eq!((request.header("host"), request.seq()), (Some("localhost"), 0));
    relayed.acknowledge().await;
    assert!(matches!(soon(outcomes.next()).await, Some(Outcome::Acknowledged { seq: 0, .. })));

    drop((relayed, socket));
    std::fs::remove_file(&path).unwrap();
    handle.beat_now();
    let (mut connection, request) = direct.hear().await;
    assert_eq!(request.seq(), 1);
    connection.acknowledge().await;
    assert!(matches!(soon(outcomes.next()).await, Some(Outcome::Acknowledged { seq: 1, .. })), "no beat has failed");
}

#[tokio::test]
async fn a_token_is_read_again_for_each_registry_that_refuses_it() {
    let (first, second) = (Registry::listen().await, Registry::listen().await);
    let path = file("for_each_registry", "old");
    let mut config = worker(&first.url, &second.url);
    config.bearer_token_file = Some(path.clone());
    let _handle = start_worker_heartbeat_task(config).unwrap();
    let (mut connection, request) = first.hear().await;
    assert_eq!(request.header("authorization"), Some("bearer old"));
    connection.answer("401 Unauthorized", "", "").await;
    let (mut connection, request) = second.hear().await;
    assert_eq!(request.header("authorization"), Some("bearer old"));
    std::fs::write(&path, "new").unwrap();
    connection.answer("403 Forbidden", "", "").await;
    let (mut connection, request) = second.hear().await;
    assert_eq!((request.header("authorization"), request.seq()), (Some("bearer new"), 0));
    connection.acknowledge().await;
}

#[tokio::test]
async fn credentials_in_a_url_go_to_that_registry_alone() {
    let (first, second) = (Registry::listen().await, Registry::listen().await);
    let with_password = first.url.replace("http://", "http://me:secret@");
    let _handle = start_worker_heartbeat_task(worker(&with_password, &second.url)).unwrap();
    let (mut connection, request) = first.hear().await;
    assert!(request.header("authorization").is_some_and(|value| value.starts_with("basic ")));
    connection.answer("307 Temporary Redirect", &format!("location: {}/else\r\n", second.url), "").await;
    let (mut connection, request) = second.hear().await;
    assert!(request.head.starts_with("post /v1/worker-heartbeat "), "{}", request.head);
    assert_eq!(request.header("authorization"), None);
    connection.acknowledge().await;
}

#[tokio::test]
async fn an_answer_that_is_no_registrys_makes_the_next_beat_look_for_it_anew() {
    let registry = Registry::listen().await;
    let mut config = worker(&registry.url, "http://unused");
    config.further_registry_urls.clear();
    let handle = start_worker_heartbeat_task(config).unwrap();
    let (mut connection, _) = registry.hear().await;
    connection.answer("404 Not Found", "", "<html>this host has another tenant now</html>").await;
    soon(handle.outcomes().next()).await;
    handle.beat_now();
    let (mut anew, request) = registry.hear().await;
    assert_eq!(request.seq(), 1);
    assert!(connection.hear().await.is_none(), "the old connection is closed");
    anew.acknowledge().await;
}

#[test]
fn each_registry_url_is_checked() {
    let refused = |url: &str| worker("http://queen:8500", url).validate().unwrap_err();
    assert!(matches!(refused("queen-2"), ConfigError::RegistryUrl { .. }));
    let mut config = worker("http://queen:8500", "http://me:secret@queen-2:8500");
    assert!(!format!("{config:?}").contains("secret"), "{config:?}");
    config.bearer_token = Some("token".to_owned());
    assert!(matches!(config.validate(), Err(ConfigError::TwoAuthorizations)));
    config.further_registry_urls = vec!["http://queen-2:8500".to_owned(); 8];
    assert!(matches!(config.validate(), Err(ConfigError::TooManyRegistries(8))));
}
