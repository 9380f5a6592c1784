//! What panics tell. A panic hook is for a whole process, so each test plays in one of its own.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use heartbeat_contract::WorkerHeartbeat;
use heartbeat_sender::{HeartbeatHandle, WorkerHeartbeatConfig, start_worker_heartbeat_task};

use crate::registry::{Connection, Registry, Request, soon};

/// Says in the process of a test where its registry is.
const REGISTRY: &str = "HEARTBEAT_TEST_PANICS";
/// Ends a test that hangs.
const BOUND: Duration = Duration::from_secs(60);

/// Runs the test of this name again, on the main thread of another process.
fn process(test: &str, registry: &Registry) -> tokio::task::JoinHandle<Output> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("panic::{test}"), "--test-threads=1", "--nocapture"]);
    command.env(REGISTRY, &registry.url).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
}

/// In the process of a test: a worker whose first beat has been acknowledged.
fn worker() -> Option<HeartbeatHandle<WorkerHeartbeat>> {
    let url = std::env::var(REGISTRY).ok()?;
    let mut config = WorkerHeartbeatConfig::new("worker-123", url);
    config.interval = Duration::from_secs(600);
    let handle = start_worker_heartbeat_task(config).unwrap();
    until_acknowledged(&handle, 1);
    Some(handle)
}

fn until_acknowledged(handle: &HeartbeatHandle<WorkerHeartbeat>, beats: u64) {
    let begun = now();
    while handle.counters().acknowledged < beats {
        assert!(begun.elapsed() < BOUND, "{beats} beats were not acknowledged: {:?}", handle.counters());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[expect(clippy::disallowed_methods, reason = "bounds a wait in a process without a runtime")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Panics as a program does that is built with `panic = "abort"`: what the hook does not do is not done.
fn panic_and_abort() -> ! {
    panic_on_the_main_thread();
    std::process::abort()
}

/// The test's own thread is not the main one to the hook, which goes by the name.
fn panic_on_the_main_thread() {
    let main = std::thread::Builder::new().name("main".to_owned());
    main.spawn(|| panic!("no such model")).unwrap().join().unwrap_err();
}

/// Acknowledges the first beat and returns the next request on its connection.
async fn second_beat(registry: &Registry) -> (Connection, Request) {
    let (mut connection, _) = registry.hear().await;
    connection.acknowledge().await;
    let request = connection.hear().await.unwrap();
    (connection, request)
}

fn tells_the_panic(request: &Request) -> bool {
    let error = request.worker().last_error.unwrap();
    error.starts_with("panic: no such model at ") && error.contains("panic.rs:")
}

#[tokio::test]
async fn a_panic_is_told_before_the_process_ends_and_is_no_goodbye() {
    if let Some(handle) = worker() {
        handle.tell_panics();
        panic_and_abort();
    }
    let registry = Registry::listen().await;
    let process = process("a_panic_is_told_before_the_process_ends_and_is_no_goodbye", &registry);
    let (mut connection, beat) = second_beat(&registry).await;
    assert!(tells_the_panic(&beat) && beat.beat().leaving.is_none());
    connection.acknowledge().await;
    assert!(connection.hear().await.is_none(), "it dies without another word");
    let output = soon(process).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("no such model"), "the hook that was there is called, too: {printed}");
}

#[tokio::test]
async fn a_goodbye_on_panic_follows_a_beat_that_tells_the_error() {
    if let Some(handle) = worker() {
        handle.goodbye_on_panic();
        panic_and_abort();
    }
    let registry = Registry::listen().await;
    let process = process("a_goodbye_on_panic_follows_a_beat_that_tells_the_error", &registry);
    let (mut connection, beat) = second_beat(&registry).await;
    assert!(tells_the_panic(&beat) && beat.beat().leaving.is_none());
    connection.acknowledge().await;
    let goodbye = connection.hear().await.unwrap();
    let reason = goodbye.beat().leaving.unwrap();
    assert!(reason.starts_with("panic: no such model at "), "{reason}");
    connection.acknowledge().await;
    assert!(!soon(process).await.unwrap().status.success());
}

#[tokio::test]
async fn a_panic_waits_two_seconds_at_most_for_a_registry_that_hangs() {
    if let Some(handle) = worker() {
        handle.goodbye_on_panic();
        let before = now();
        panic_on_the_main_thread();
        // Twice the bound: what is to be told apart from it is the hour that the registry hangs.
        assert!(before.elapsed() < Duration::from_secs(4));
        return;
    }
    let registry = Registry::listen().await;
    let process = process("a_panic_waits_two_seconds_at_most_for_a_registry_that_hangs", &registry);
    let _unanswered = second_beat(&registry).await;
    let output = soon(process).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_panic_of_another_thread_is_told_and_ends_no_beats() {
    if let Some(handle) = worker() {
        handle.goodbye_on_panic();
        std::thread::spawn(|| panic!("no such model")).join().unwrap_err();
        until_acknowledged(&handle, 2);
        handle.update(|worker| worker.last_error = None);
        handle.beat_now();
        until_acknowledged(&handle, 3);
        return;
    }
    let registry = Registry::listen().await;
    let process = process("a_panic_of_another_thread_is_told_and_ends_no_beats", &registry);
    let (mut connection, beat) = second_beat(&registry).await;
    assert!(tells_the_panic(&beat) && beat.beat().leaving.is_none());
    connection.acknowledge().await;
    let next = connection.hear().await.unwrap();
    assert_eq!((next.worker().last_error, next.beat().leaving), (None, None));
    connection.acknowledge().await;
    assert!(soon(process).await.unwrap().status.success());
}
