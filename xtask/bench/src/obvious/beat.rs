//! A worker's beat as plain types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The same fields as the contract's worker payload, and nothing checked beyond their types.
#[derive(Deserialize)]
#[expect(dead_code, reason = "a registry keeps what it is told; nobody asks this one for it")]
pub(crate) struct Beat {
    pub(super) worker_id: String,
    timestamp: Option<Timestamp>,
    status: Option<Status>,
    health_status: Option<HealthStatus>,
    gpu_utilization: Option<f64>,
    model_loaded: Option<String>,
    queue_depth: Option<u32>,
    last_inference_ms: Option<u64>,
    metrics: Option<BTreeMap<String, f64>>,
    last_error: Option<String>,
    beat: Option<BeatInfo>,
    metadata: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Starting,
    Idle,
    Busy,
    Draining,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum HealthStatus {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "a registry keeps what it is told; nobody asks this one for it")]
struct BeatInfo {
    incarnation: Option<u64>,
    seq: Option<u64>,
    interval_ms: Option<u64>,
    endpoint: Option<String>,
    hive_id: Option<String>,
    zone: Option<String>,
    progress: Option<Progress>,
    runtime_lag_ms: Option<u64>,
    rtt_ms: Option<u64>,
    slept_ms: Option<u64>,
    tick: Option<u64>,
    leaving: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "a registry keeps what it is told; nobody asks this one for it")]
struct Progress {
    busy: bool,
    done: u64,
    age_ms: Option<u64>,
}
