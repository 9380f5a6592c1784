//! The heartbeat of a hive.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::{
    BeatInfo, FailingSource, HealthStatus, Kind, MemberId, Metadata, Payload, ProcessExit, VramInfo, field, time,
};

/// What a hive, the daemon of a host, sends to say that it is alive, and how its host fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[doc(alias = "HiveHeartbeatPayload")]
pub struct HiveHeartbeat {
    /// Who beats.
    pub hive_id: MemberId,
    /// When the hive made this beat, by its own clock; informational.
    #[serde(default, with = "time::stamp_opt", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// How it feels; absent means healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_status: Option<HealthStatus>,
    /// Share of all its processors in use, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_usage_percent: Option<f64>,
    /// Memory in use, in GB of 2^30 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ram_used_gb: Option<f64>,
    /// Memory it has, in GB of 2^30 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ram_total_gb: Option<f64>,
    /// Space that is not free any more on one of its file systems, that of `/` unless the hive chose another, in GB of 2^30
    /// bytes. What is kept back for root is not free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_used_gb: Option<f64>,
    /// The size of that file system, in GB of 2^30 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_total_gb: Option<f64>,
    /// Its GPUs, in the order of their device numbers; empty if it has none, absent if it does not know.
    #[serde(default, deserialize_with = "vram_list", skip_serializing_if = "Option::is_none")]
    pub vram_per_device: Option<Vec<VramInfo>>,
    /// Its hottest processor, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// Where figures above come from that are not up to date; at most 16.
    #[serde(default, deserialize_with = "field::objects", skip_serializing_if = "Vec::is_empty")]
    pub failing_sources: Vec<FailingSource>,
    /// Figures of its own, at most 64, all finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
    /// The last error it met, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Processes of workers on its host that ended a short while ago, at most 256.
    #[serde(default, deserialize_with = "field::objects", skip_serializing_if = "Vec::is_empty")]
    pub exited: Vec<ProcessExit>,
    /// What the protocol needs.
    #[serde(default, deserialize_with = "field::object_opt", skip_serializing_if = "Option::is_none")]
    pub beat: Option<BeatInfo>,
    /// Free-form data, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

fn vram_list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<VramInfo>>, D::Error> {
    struct List(Vec<VramInfo>);
    impl<'de> Deserialize<'de> for List {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            field::objects(deserializer).map(List)
        }
    }
    Ok(Option::<List>::deserialize(deserializer)?.map(|list| list.0))
}

impl HiveHeartbeat {
    /// A beat that tells nothing but that the hive lives.
    #[must_use]
    pub fn new(hive_id: MemberId) -> Self {
        Self {
            hive_id,
            timestamp: None,
            health_status: None,
            cpu_usage_percent: None,
            ram_used_gb: None,
            ram_total_gb: None,
            disk_used_gb: None,
            disk_total_gb: None,
            vram_per_device: None,
            temperature_celsius: None,
            failing_sources: Vec::new(),
            metrics: None,
            last_error: None,
            exited: Vec::new(),
            beat: None,
            metadata: None,
        }
    }
}

impl Payload for HiveHeartbeat {
    const KIND: Kind = Kind::HIVE;
    const ID_FIELD: &'static str = "hive_id";

    fn id(&self) -> &MemberId {
        &self.hive_id
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

    fn self_report(&self) -> Option<HealthStatus> {
        self.health_status
    }

    fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    fn set_last_error(&mut self, error: String) {
        self.last_error = Some(error);
    }

    /// A hive lives on its own host.
    fn hive_id(&self) -> Option<&MemberId> {
        Some(&self.hive_id)
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn exited(&self) -> &[ProcessExit] {
        &self.exited
    }

    fn failing_sources(&self) -> &[FailingSource] {
        &self.failing_sources
    }

    fn check(&self, violations: &mut Violations) {
        ProcessExit::check_all(&self.exited, violations);
        violations.within("/cpu_usage_percent", self.cpu_usage_percent, 0.0, 100.0);
        violations.within("/ram_used_gb", self.ram_used_gb, 0.0, f64::MAX);
        violations.within("/ram_total_gb", self.ram_total_gb, 0.0, f64::MAX);
        violations.within("/disk_used_gb", self.disk_used_gb, 0.0, f64::MAX);
        violations.within("/disk_total_gb", self.disk_total_gb, 0.0, f64::MAX);
        violations.within("/temperature_celsius", self.temperature_celsius, f64::MIN, f64::MAX);
        violations.error_text("/last_error", self.last_error.as_deref());
        violations.metrics("/metrics", self.metrics.as_ref());
        VramInfo::check_all(self.vram_per_device.as_deref().unwrap_or_default(), violations);
        FailingSource::check_all(&self.failing_sources, violations);
    }
}
