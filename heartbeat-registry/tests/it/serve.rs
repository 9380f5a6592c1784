//! `serve`: its flags, and its end by real signals.

use std::time::Duration;

use crate::token_commands::{Registry, command};

const BEAT: &[u8] = br#"{"worker_id": "w"}"#;

/// Waits until a new connection is told that the registry is not ready.
async fn unready(registry: &Registry) {
    let told = async {
        while registry.connect().await.get("/readyz").await.status != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("it is not ready any more");
}

#[tokio::test]
async fn a_registry_that_drains_is_not_ready_takes_beats_and_ends_at_the_second_signal() {
    let mut registry = Registry::start(&["--drain", "1h"]);
    registry.terminate();
    unready(&registry).await;
    assert_eq!(registry.connect().await.get("/livez").await.status, 200);
    assert_eq!(registry.connect().await.post("/v1/worker-heartbeat", BEAT).await.status, 200);
    registry.terminate();
    assert_eq!(registry.code().await, Some(0));
}

#[tokio::test]
async fn a_drain_ends_by_itself_and_there_is_none_unless_asked_for() {
    for args in [["--drain", "10ms"].as_slice(), &[]] {
        let mut registry = Registry::start(args);
        registry.terminate();
        assert_eq!(registry.code().await, Some(0), "{args:?}");
    }
}

#[test]
fn boolean_variables_take_the_usual_words() {
    // An address for documentation, which no machine has: who gets past the check cannot listen.
    let given = |value: &str| {
        let mut serve = command(&["serve", "--listen", "192.0.2.1:0"]);
        serve.env("HEARTBEAT_INSECURE", value).output().unwrap().status.code()
    };
    for (value, code) in [("1", 1), ("yes", 1), ("0", 2), ("off", 2), ("perhaps", 2)] {
        assert_eq!(given(value), Some(code), "{value}");
    }
}
