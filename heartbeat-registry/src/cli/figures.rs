//! How the host of a hive fares, in the rows of a table.

use heartbeat_contract::{HiveHeartbeat, Kind, MemberView, VramInfo};

use crate::readable::failing;

/// What a hive told of its host, as far as it told it; nothing of other members.
pub(super) fn rows(member: &MemberView) -> Vec<(&'static str, String)> {
    if member.kind != Kind::HIVE {
        return Vec::new();
    }
    let hive = member.payload.clone().and_then(|payload| serde_json::from_value::<HiveHeartbeat>(payload).ok());
    hive.map(|hive| rows_of(&hive)).unwrap_or_default()
}

fn rows_of(hive: &HiveHeartbeat) -> Vec<(&'static str, String)> {
    let processor = hive.cpu_usage_percent.map(|percent| format!("{percent:.0} % busy"));
    let figures = [
        ("processor", joined([processor, hive.temperature_celsius.map(degrees)])),
        ("memory", hive.ram_used_gb.zip(hive.ram_total_gb).map(space)),
        ("disk", hive.disk_used_gb.zip(hive.disk_total_gb).map(space)),
    ];
    let figures = figures.into_iter().filter_map(|(name, figure)| Some((name, figure?)));
    let gpus = hive.vram_per_device.iter().flatten().map(|device| ("gpu", gpu(device)));
    let out_of_date = hive.failing_sources.iter().map(|source| ("out of date", failing(source)));
    figures.chain(gpus).chain(out_of_date).collect()
}

fn gpu(gpu: &VramInfo) -> String {
    let name = gpu.name.as_ref().map_or_else(|| gpu.device.to_string(), |name| format!("{} ({name})", gpu.device));
    let memory = space((gpu.used_gb, gpu.total_gb));
    let busy = gpu.utilization.map(|share| format!("{:.0} % busy", share * 100.0));
    let power = gpu.power_watts.map(|watts| format!("{watts:.0} W"));
    let told = [Some(memory), busy, gpu.temperature_celsius.map(degrees), power];
    format!("{name}: {}", joined(told).unwrap_or_default())
}

fn joined<const N: usize>(told: [Option<String>; N]) -> Option<String> {
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn space((used, total): (f64, f64)) -> String {
    format!("{used:.1} of {total:.1} GB")
}

fn degrees(celsius: f64) -> String {
    format!("{celsius:.0} degrees Celsius")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hive_shows_what_it_told_of_its_host_and_which_source_hangs() {
        let told = r#"{
            "hive_id": "hive-7", "cpu_usage_percent": 37.9, "temperature_celsius": 54.0,
            "ram_used_gb": 211.25, "ram_total_gb": 2015.5, "disk_used_gb": 801.5, "disk_total_gb": 1759.25,
            "vram_per_device": [
                {"device": 0, "name": "NVIDIA H100 80GB HBM3", "used_gb": 71.25, "total_gb": 79.625,
                    "utilization": 0.97, "temperature_celsius": 61.0, "power_watts": 612.4},
                {"device": 1, "used_gb": 0.5, "total_gb": 79.625}
            ],
            "failing_sources": [{"source": "nvidia", "age_ms": 42000}, {"source": "disk", "error": "no such file"}]
        }"#;
        let rows = rows_of(&serde_json::from_str(told).unwrap());
        let rows: Vec<String> = rows.into_iter().map(|(name, figure)| format!("{name}: {figure}")).collect();
        assert_eq!(
            rows,
            [
                "processor: 38 % busy, 54 degrees Celsius",
                "memory: 211.2 of 2015.5 GB",
                "disk: 801.5 of 1759.2 GB",
                "gpu: 0 (NVIDIA H100 80GB HBM3): 71.2 of 79.6 GB, 97 % busy, 61 degrees Celsius, 612 W",
                "gpu: 1: 0.5 of 79.6 GB",
                "out of date: nvidia hangs; its last figures were 42.0 s old",
                "out of date: disk fails: no such file; it has told no figures yet",
            ]
        );
        assert_eq!(rows_of(&serde_json::from_str(r#"{"hive_id": "hive-7"}"#).unwrap()), []);
    }
}
