//! From a registry's event to a worker that is healthy again, across processes.

use std::time::Duration;

use daemon_lifecycle::Daemon;
use heartbeat_contract::{HealthState, MemberView};

use crate::programs::path;
use crate::real_registry::RealRegistry;

const BOUND: Duration = Duration::from_secs(30);

/// The pid of a run that is ready.
async fn ready(supervisor: &mut Daemon, run: u32) -> String {
    let is_ready = format!("run {run}: ready");
    supervisor.wait_for_line(move |line| line.text.starts_with(&is_ready).then_some(()), BOUND).await.unwrap();
    let started = format!("run {run}: started, pid ");
    supervisor.wait_for_line(move |line| line.text.strip_prefix(&started).map(str::to_owned), BOUND).await.unwrap()
}

fn signal(name: &str, pid: &str) {
    assert!(std::process::Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[tokio::test]
async fn a_worker_that_its_registry_gives_up_is_started_again_and_healthy_again() {
    let registry = RealRegistry::start().await;
    let id = "example-supervised";
    let mut supervisor = Daemon::command(path("supervise"))
        .args(["--registry", &registry.url, "--id", id, "--interval", "100ms"])
        .spawn()
        .unwrap();
    let healthy_but =
        |before: Option<u64>| move |view: &MemberView| view.state == HealthState::Healthy && view.incarnation > before;

    let frozen = ready(&mut supervisor, 1).await;
    let first = registry.until_worker(id, "the first run", healthy_but(None)).await;
    // It lives, and says nothing: only the registry can know.
    signal("-STOP", &frozen);
    let killed = ready(&mut supervisor, 2).await;
    let second = registry.until_worker(id, "the second run", healthy_but(first.incarnation)).await;
    // It is dead, which the supervisor knows first.
    signal("-KILL", &killed);
    ready(&mut supervisor, 3).await;
    registry.until_worker(id, "the third run", healthy_but(second.incarnation)).await;

    let stopped = supervisor.stop(BOUND).await.unwrap();
    assert!(stopped.status.success() && !stopped.forced, "{stopped:?}");
    let has_left = |view: &MemberView| view.state == HealthState::Left;
    registry.until_worker(id, "its goodbye", has_left).await;
    registry.stop().await;
}
