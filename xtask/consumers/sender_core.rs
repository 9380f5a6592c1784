//! Beats to this process itself, without HTTP.

use std::error::Error;
use std::time::Duration;

use heartbeat_sender::{ChannelTransport, Outcome, WorkerHeartbeatConfig, start_over};

fn main() -> Result<(), Box<dyn Error>> {
    let (transport, mut deliveries) = ChannelTransport::new(1);
    let heartbeat = start_over(WorkerHeartbeatConfig::in_process("worker-123"), transport)?;
    let delivery = deliveries.blocking_recv().ok_or("the loop has ended")?;
    assert_eq!(delivery.beat.worker_id.as_str(), "worker-123");
    drop(delivery.answer);
    for _ in 0..3_000 {
        if let Outcome::Failed { error, .. } = heartbeat.outcomes().latest() {
            assert!(error.is_lost(), "{error}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("a beat that nobody answered has not failed within half a minute".into())
}
