//! AMD's GPUs, as their driver on Linux shows them in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use heartbeat_contract::VramInfo;

use super::record::{Answer, Reading};
use super::{celsius, drm, gb, name, share, watts};

pub(super) fn open(sysfs: PathBuf) -> impl FnMut() -> Answer<Vec<VramInfo>> {
    move || {
        let cards = drm::cards(&sysfs).map_err(|error| format!("{}: {error}", sysfs.display()))?;
        let of_amd = cards.iter().filter(|card| card.vendor == drm::AMD);
        let gpus = (0..).zip(of_amd.filter_map(|card| gpu(&card.device)));
        Ok(Reading::complete(gpus.map(|(device, gpu)| VramInfo { device, ..gpu }).collect()))
    }
}

/// What is known of a GPU, if it tells its memory. A GPU that sleeps, and older ones, may refuse the rest.
fn gpu(device: &Path) -> Option<VramInfo> {
    let memory = |file| number::<u64>(device.join(file)).map(gb);
    let mut gpu = VramInfo::new(0, memory("mem_info_vram_used")?, memory("mem_info_vram_total")?);
    gpu.name = fs::read_to_string(device.join("product_name")).ok().and_then(|text| name(&text));
    gpu.utilization = number(device.join("gpu_busy_percent")).and_then(share);
    let sensors: Vec<PathBuf> =
        fs::read_dir(device.join("hwmon")).into_iter().flatten().flatten().map(|s| s.path()).collect();
    let sensor = |file: &str| sensors.iter().find_map(|sensor| number::<f64>(sensor.join(file)));
    gpu.temperature_celsius = sensor("temp1_input").and_then(|millis| celsius(millis / 1e3));
    let power = sensor("power1_average").or_else(|| sensor("power1_input"));
    gpu.power_watts = power.and_then(|micros| watts(micros / 1e6));
    Some(gpu)
}

fn number<T: FromStr>(file: PathBuf) -> Option<T> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
