//! What a hive tells of one GPU.

use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::field;

/// One GPU: its memory, and how it fares as far as that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VramInfo {
    /// The device number, from 0.
    #[serde(deserialize_with = "field::whole")]
    pub device: u32,
    /// What the device calls itself, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Memory in use, in GB of 2^30 bytes.
    pub used_gb: f64,
    /// Memory it has, in GB of 2^30 bytes.
    pub total_gb: f64,
    /// Share of the time in which it computed lately, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// Its temperature, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// What it draws, in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
}

impl VramInfo {
    /// A GPU of which only the memory is known.
    #[must_use]
    pub fn new(device: u32, used_gb: f64, total_gb: f64) -> Self {
        Self { device, name: None, used_gb, total_gb, utilization: None, temperature_celsius: None, power_watts: None }
    }

    pub(crate) fn check_all(gpus: &[Self], violations: &mut Violations) {
        for (i, gpu) in gpus.iter().enumerate() {
            let mut within = |field: &str, value: Option<f64>, min: f64, max: f64| {
                violations.within(format_args!("/vram_per_device/{i}/{field}"), value, min, max);
            };
            within("used_gb", Some(gpu.used_gb), 0.0, f64::MAX);
            within("total_gb", Some(gpu.total_gb), 0.0, f64::MAX);
            within("utilization", gpu.utilization, 0.0, 1.0);
            within("temperature_celsius", gpu.temperature_celsius, f64::MIN, f64::MAX);
            within("power_watts", gpu.power_watts, 0.0, f64::MAX);
            violations.short(format_args!("/vram_per_device/{i}/name"), gpu.name.as_deref());
        }
    }
}
