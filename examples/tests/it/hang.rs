//! A worker whose work hangs while its beats go on.

use std::time::Duration;

use daemon_lifecycle::{Daemon, Signal};
use heartbeat_contract::{Cause, HealthState, Kind, MemberId, MemberView, Policy};

use crate::programs::path;
use crate::real_registry::RealRegistry;

fn done(worker: &MemberView) -> Option<u64> {
    worker.payload.as_ref()?["beat"]["progress"]["done"].as_u64()
}

#[tokio::test]
async fn a_worker_that_is_made_to_hang_beats_on_and_is_stuck_until_it_goes_on() {
    let registry = RealRegistry::start().await;
    let id = "example-hangs";
    let worker = Daemon::command(path("worker"))
        .args(["--registry", &registry.url, "--id", id, "--interval", "100ms"])
        .args(["--work", concat!(env!("CARGO_MANIFEST_DIR"), "/src")])
        .spawn()
        .unwrap();
    registry.until_worker(id, "work", |view| done(view) > Some(0)).await;
    let patience = Policy { stuck_after: Some(Duration::from_secs(1)), ..Policy::default() };
    registry.client.set_policy(&Kind::WORKER, &MemberId::new(id).unwrap(), &patience).await.unwrap();

    worker.signal(Signal::User1).unwrap();
    let is_stuck = |view: &MemberView| view.cause == Some(Cause::Stuck);
    let stuck = registry.until_worker(id, "work that is stuck", is_stuck).await;
    assert_eq!(stuck.state, HealthState::Critical);
    let five_later = |view: &MemberView| view.seq >= stuck.seq.map(|seq| seq + 5);
    let later = registry.until_worker(id, "more beats", five_later).await;
    assert_eq!((later.cause, done(&later)), (Some(Cause::Stuck), done(&stuck)));

    worker.signal(Signal::User1).unwrap();
    registry.until_worker(id, "more work", |view| done(view) > done(&stuck)).await;
    registry.until_healthy(id).await;
    worker.stop(Duration::from_secs(30)).await.unwrap();
    registry.stop().await;
}
