//! Where a loop may run.

use std::sync::mpsc;
use std::time::Duration;

use heartbeat_contract::{Ack, WorkerHeartbeat};
use heartbeat_sender::{Outcome, SendError, Transport, WorkerHeartbeatConfig, spawn_on, start_over, system_clock};

const BOUND: Duration = Duration::from_secs(60);

/// Acknowledges every beat and shows it to the test, which needs no runtime to look.
struct Shown(mpsc::Sender<WorkerHeartbeat>);

impl Transport<WorkerHeartbeat> for Shown {
    async fn send(&self, beat: WorkerHeartbeat) -> Result<Ack, SendError> {
        self.0.send(beat).map_err(SendError::lost)?;
        Ok(Ack { acknowledged: true, server_time: system_clock(), next_in_ms: 100, directives: Vec::new() })
    }
}

fn shown() -> (Shown, mpsc::Receiver<WorkerHeartbeat>) {
    let (show, seen) = mpsc::channel();
    (Shown(show), seen)
}

fn worker() -> WorkerHeartbeatConfig {
    let mut config = WorkerHeartbeatConfig::in_process("worker-123");
    config.interval = Duration::from_millis(100);
    config
}

/// Waits for something that must happen.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(BOUND, what).await.expect("it did not happen within a minute")
}

fn seq(beat: &WorkerHeartbeat) -> u64 {
    beat.beat.as_ref().unwrap().seq.unwrap()
}

#[tokio::test]
async fn a_starved_application_runtime_silences_nobody() {
    let (transport, seen) = shown();
    let handle = start_over(worker(), transport).unwrap();
    // The application's only thread does nothing but wait here.
    for expected in 0..3 {
        assert_eq!(seq(&seen.recv_timeout(BOUND).unwrap()), expected);
    }
    let end = soon(handle.shutdown()).await;
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
}

#[test]
fn a_loop_needs_no_runtime_of_the_application() {
    let (transport, seen) = shown();
    let handle = start_over(worker(), transport).unwrap();
    seen.recv_timeout(BOUND).unwrap();
    let without_drivers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let end = without_drivers.block_on(handle.shutdown());
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    assert!(seen.iter().last().unwrap().beat.unwrap().leaving.is_some(), "and its thread has let go of the transport");
}

#[tokio::test]
async fn a_loop_runs_in_a_runtime_it_is_given() {
    let (transport, seen) = shown();
    let handle = spawn_on(&tokio::runtime::Handle::current(), worker(), transport).unwrap();
    let mut outcomes = handle.outcomes();
    assert!(seen.try_recv().is_err(), "which has not got round to it yet");
    assert!(matches!(soon(outcomes.next()).await, Some(Outcome::Acknowledged { seq: 0, .. })));
    assert_eq!(seq(&seen.try_recv().unwrap()), 0);
    assert!(matches!(soon(handle.shutdown()).await, Outcome::Left { acknowledged: true, .. }));
}

#[test]
fn an_update_that_never_ends_silences_nobody() {
    let (transport, seen) = shown();
    let handle = start_over(worker(), transport).unwrap();
    let (entered, entering) = mpsc::channel();
    let (release, hanging) = mpsc::channel::<()>();
    let application = std::thread::spawn(move || {
        handle.update(|_| {
            entered.send(()).unwrap();
            hanging.recv().ok();
        });
    });
    entering.recv_timeout(BOUND).unwrap();
    while seen.try_recv().is_ok() {}
    for _ in 0..2 {
        seen.recv_timeout(BOUND).unwrap();
    }
    drop(release);
    application.join().unwrap();
}

/// A bug in a transport.
struct Panicking;

impl Transport<WorkerHeartbeat> for Panicking {
    async fn send(&self, _: WorkerHeartbeat) -> Result<Ack, SendError> {
        std::panic::resume_unwind(Box::new("a bug in the transport"));
    }
}

#[tokio::test]
async fn a_transport_that_panics_ends_the_loop_and_harms_nobody_else() {
    let handle = start_over(worker(), Panicking).unwrap();
    assert!(soon(handle.outcomes().next()).await.is_none());
    assert!(matches!(soon(handle.shutdown()).await, Outcome::Pending));
}

#[cfg(feature = "host-metrics")]
#[tokio::test]
async fn a_hive_tells_the_figures_of_its_host() {
    use heartbeat_contract::HiveHeartbeat;
    use heartbeat_sender::{ChannelTransport, HiveHeartbeatConfig};

    let (transport, mut deliveries) = ChannelTransport::<HiveHeartbeat>::new(1);
    let mut config = HiveHeartbeatConfig::in_process("hive-7").with_host_metrics();
    config.interval = Duration::from_millis(100);
    let _handle = start_over(config, transport).unwrap();
    let told = async {
        loop {
            let beat = deliveries.recv().await.unwrap().beat;
            assert_eq!(beat.beat.as_ref().unwrap().hive_id.as_ref(), Some(&beat.hive_id));
            if let (Some(used), Some(total)) = (beat.ram_used_gb, beat.ram_total_gb) {
                return (used, total);
            }
        }
    };
    let (used, total) = soon(told).await;
    assert!(0.0 < used && used <= total, "{used} of {total} GB");
}
