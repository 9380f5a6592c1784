//! Reads a beat and refuses a bad one.

use heartbeat_contract::{DecodeError, Kind, Policy, WorkerHeartbeat, decode, routes, validate};

fn main() -> Result<(), DecodeError> {
    let beat: WorkerHeartbeat = decode(br#"{"worker_id": "worker-123", "queue_depth": 7}"#)?;
    assert_eq!((beat.worker_id.as_str(), beat.queue_depth), ("worker-123", Some(7)));
    let broken = WorkerHeartbeat { gpu_utilization: Some(2.0), ..beat };
    assert_eq!(validate(&broken).expect_err("it is above 1").to_string(), "gpu_utilization: 2 is above 1");
    assert_eq!(Policy::default().resolve(None, None).failed_after().as_secs(), 95);
    assert_eq!(routes::beat(&Kind::HIVE), "/v1/hive-heartbeat");
    Ok(())
}
