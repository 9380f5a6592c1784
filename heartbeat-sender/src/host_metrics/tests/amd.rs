//! AMD's GPUs in a tree of files like that of Linux.

use heartbeat_contract::VramInfo;

use super::folder::Folder;
use crate::host_metrics::amd;

const AMD: &str = "0x1002\n";
const MEMORY: [(&str, &str); 2] = [("mem_info_vram_used", "2147483648\n"), ("mem_info_vram_total", "206141652992\n")];

fn gpus(host: &Folder) -> Vec<VramInfo> {
    amd::open(host.config().host.sysfs)().unwrap().figures
}

#[test]
fn gpus_are_numbered_by_their_place_on_the_bus_and_told_with_all_their_figures() {
    let host = Folder::new();
    let mut files = MEMORY.to_vec();
    files.extend([
        ("product_name", "AMD Instinct MI300X\n"),
        ("gpu_busy_percent", "88\n"),
        ("hwmon/hwmon5/name", "amdgpu\n"),
        ("hwmon/hwmon5/temp1_input", "52000\n"),
        ("hwmon/hwmon5/power1_average", "684000000\n"),
    ]);
    host.card(0, "0000:26:00.0", AMD, &files);
    host.card(1, "0000:05:00.0", AMD, &[("mem_info_vram_used", "0"), ("mem_info_vram_total", "1073741824")]);
    let full = VramInfo {
        name: Some("AMD Instinct MI300X".to_owned()),
        utilization: Some(0.88),
        temperature_celsius: Some(52.0),
        power_watts: Some(684.0),
        ..VramInfo::new(1, 2.0, 191.984_375)
    };
    assert_eq!(gpus(&host), [VramInfo::new(0, 0.0, 1.0), full]);
}

#[test]
fn figures_that_are_odd_or_missing_are_absent() {
    let host = Folder::new();
    let mut files = MEMORY.to_vec();
    files.extend([
        ("product_name", "\n"),
        ("gpu_busy_percent", "255\n"),
        ("hwmon/hwmon5/temp1_input", "N/A\n"),
        ("hwmon/hwmon5/power1_input", "nan\n"),
    ]);
    host.card(0, "0000:05:00.0", AMD, &files);
    assert_eq!(gpus(&host), [VramInfo::new(0, 2.0, 191.984_375)]);
}

#[test]
fn cards_of_others_and_those_without_memory_are_no_gpus_and_connectors_no_cards() {
    let host = Folder::new();
    host.card(0, "0000:01:00.0", AMD, &[("mem_info_vram_used", "1")]);
    host.card(1, "0000:02:00.0", "0x8086\n", &MEMORY);
    host.write("sys/class/drm/card0-DP-1/status", "connected\n");
    host.write("sys/class/drm/version", "drm 1.1.0 20060810\n");
    assert_eq!(gpus(&host), []);
}
