//! A worker whose application starves its own runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use heartbeat_contract::{Flag, HealthState, MemberView};
use heartbeat_sender::{WorkerHeartbeatConfig, start_worker_heartbeat_task};
use tokio::runtime::Builder;

use crate::real_registry::RealRegistry;

const WORKER_THREADS: usize = 2;

#[tokio::test]
async fn a_busy_loop_on_every_worker_thread_of_the_runtime_stops_no_beat_and_shows_as_overloaded_with_the_lag() {
    let registry = RealRegistry::start().await;
    let application = Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build().unwrap();
    let mut config = WorkerHeartbeatConfig::new("worker-1", &registry.url);
    // Half of this is above what a runtime lags on a machine with other things to do.
    config.interval = Duration::from_secs(1);
    let heartbeat = start_worker_heartbeat_task(config).unwrap();
    heartbeat.watch_runtime(application.handle());
    let keeps_up = |view: &MemberView| view.runtime_lag_ms.is_some_and(|lag| lag < 500);
    registry.until_worker("worker-1", "a runtime that keeps up", keeps_up).await;

    let is_over = Arc::new(AtomicBool::new(false));
    for _ in 0..WORKER_THREADS {
        let is_over = Arc::clone(&is_over);
        application.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
    let is_overloaded = |view: &MemberView| view.flags.contains(&Flag::Overloaded);
    let starved = registry.until_worker("worker-1", "a runtime that starves", is_overloaded).await;
    let two_later = |view: &MemberView| view.seq >= starved.seq.map(|seq| seq + 2);
    let later = registry.until_worker("worker-1", "more beats", two_later).await;
    assert!(is_overloaded(&later) && later.runtime_lag_ms > starved.runtime_lag_ms, "it grows: {later:?}");
    assert_eq!(later.state, HealthState::Healthy, "it lives, and says so");

    is_over.store(true, Ordering::Relaxed);
    registry.until_worker("worker-1", "a runtime that keeps up again", |view| view.flags.is_empty()).await;
    heartbeat.shutdown().await;
    application.shutdown_background();
    registry.stop().await;
}
