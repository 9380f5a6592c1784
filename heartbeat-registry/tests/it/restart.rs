//! A registry that comes back.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use heartbeat_registry::client::Client;
use heartbeat_registry::contract::{CanaryState, EventBody, EventsPage, HealthState};

use crate::token_commands::command;
use crate::wire::Connection;
use crate::world::{millis, secs};

/// The registry's binary, killed when dropped.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start() -> Self {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).unwrap()
    }

    async fn beat(&self) {
        let stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        let body = br#"{"worker_id":"w","beat":{"interval_ms":200}}"#;
        assert_eq!(Connection { stream }.post("/v1/worker-heartbeat", body).await.status, 200);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Waits for the first failure, and returns all that was told by then.
async fn failure(client: &Client) -> EventsPage {
    let is_failure = |body: &EventBody| matches!(body, EventBody::Transition { to: HealthState::Failed, .. });
    let looks = async {
        loop {
            let page = client.events(None, 1_000).await.unwrap();
            if page.events.iter().any(|event| is_failure(&event.body)) {
                return page;
            }
            tokio::time::sleep(millis(10)).await;
        }
    };
    tokio::time::timeout(secs(30), looks).await.expect("a failure within half a minute")
}

/// By how much a failed member was late on the clock that judges.
fn judged_age(page: &EventsPage) -> Duration {
    let mut ages = page.events.iter().filter_map(|event| match event.body {
        EventBody::Transition { to: HealthState::Failed, age_ms, credited_ms, .. } => {
            Some(millis(age_ms - credited_ms))
        }
        _ => None,
    });
    ages.next_back().unwrap()
}

#[tokio::test]
async fn after_a_restart_nobody_is_failed_before_a_full_deadline() {
    let deadline = millis(3 * 200 + 50);
    let first = Program::start();
    first.beat().await;
    // It has been silent for a full deadline when the registry is killed.
    failure(&first.client()).await;
    drop(first);

    let second = Program::start();
    let client = second.client();
    let stats = client.stats().await.unwrap();
    assert_eq!((stats.members.total, stats.members.failed), (0, 0));
    second.beat().await;
    let page = failure(&client).await;
    assert!(matches!(page.events[0].body, EventBody::Registered {}), "{:?}", page.events[0]);
    let age = judged_age(&page);
    assert!(age >= deadline && age <= deadline + millis(1), "failed after {age:?}");
}

#[tokio::test]
async fn the_binary_measures_its_own_listener() {
    let program = Program::start();
    program.beat().await;
    let client = program.client();
    let looks = async {
        loop {
            let blind = client.stats().await.unwrap().blind;
            if blind.ingest_lag_ms.is_some() {
                return blind;
            }
            tokio::time::sleep(millis(10)).await;
        }
    };
    let blind = tokio::time::timeout(secs(30), looks).await.expect("a canary comes back within half a minute");
    assert_ne!(blind.canary, CanaryState::Off);
    assert_eq!((blind.window_ms, blind.canary_error), (300_000, None));
}
