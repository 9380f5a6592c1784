//! The heartbeat of a worker.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::{BeatInfo, HealthStatus, Kind, MemberId, Metadata, Payload, WorkerStatus, field, time};

/// What a worker sends to say that it is alive, and how it fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[doc(alias = "WorkerHeartbeatPayload")]
pub struct WorkerHeartbeat {
    /// Who beats.
    pub worker_id: MemberId,
    /// When the worker made this beat, by its own clock; informational.
    #[serde(default, with = "time::stamp_opt", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<WorkerStatus>,
    /// How it feels; absent means healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_status: Option<HealthStatus>,
    /// Share of its GPU in use, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_utilization: Option<f64>,
    /// The model it serves, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_loaded: Option<String>,
    /// Requests that wait in it.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u32>,
    /// How long its last unit of work took, in milliseconds.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub last_inference_ms: Option<u64>,
    /// Figures of its own, at most 64, all finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
    /// The last error it met, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the protocol needs.
    #[serde(default, deserialize_with = "field::object_opt", skip_serializing_if = "Option::is_none")]
    pub beat: Option<BeatInfo>,
    /// Free-form data, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

impl WorkerHeartbeat {
    /// A beat that tells nothing but that the worker lives.
    #[must_use]
    pub fn new(worker_id: MemberId) -> Self {
        Self {
            worker_id,
            timestamp: None,
            status: None,
            health_status: None,
            gpu_utilization: None,
            model_loaded: None,
            queue_depth: None,
            last_inference_ms: None,
            metrics: None,
            last_error: None,
            beat: None,
            metadata: None,
        }
    }
}

impl Payload for WorkerHeartbeat {
    const KIND: Kind = Kind::WORKER;
    const ID_FIELD: &'static str = "worker_id";

    fn id(&self) -> &MemberId {
        &self.worker_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }

    fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    fn set_timestamp(&mut self, at: Timestamp) {
        self.timestamp = Some(at);
    }

    fn status(&self) -> Option<&'static str> {
        self.status.map(WorkerStatus::as_str)
    }

    fn self_report(&self) -> Option<HealthStatus> {
        self.health_status
    }

    fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    fn set_last_error(&mut self, error: String) {
        self.last_error = Some(error);
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn check(&self, violations: &mut Violations) {
        violations.within("/gpu_utilization", self.gpu_utilization, 0.0, 1.0);
        violations.short("/model_loaded", self.model_loaded.as_deref());
        violations.error_text("/last_error", self.last_error.as_deref());
        violations.metrics("/metrics", self.metrics.as_ref());
    }
}
