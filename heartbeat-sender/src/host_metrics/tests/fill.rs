//! What is filled in a beat, and what is logged meanwhile.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use heartbeat_contract::{HiveHeartbeat, MemberId, VramInfo};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::folder::Folder;
use crate::host_metrics::together;
use crate::{HostMetrics, HostMetricsConfig};

const LOOKS: u32 = 6_000;

fn hive() -> HiveHeartbeat {
    HiveHeartbeat::new(MemberId::new("hive-7").unwrap())
}

/// Fills in beats until one is as it should be, which must happen.
fn until(config: &HostMetricsConfig, beat: &HiveHeartbeat, so: impl Fn(&HiveHeartbeat) -> bool) -> HiveHeartbeat {
    let metrics = HostMetrics::start_with(config).unwrap();
    for _ in 0..LOOKS {
        let mut hive = beat.clone();
        metrics.fill(&mut hive);
        if so(&hive) {
            return hive;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen within a minute");
}

/// Counts what is logged on this thread, by level.
#[derive(Clone, Default)]
struct Lines {
    warnings: Arc<AtomicU32>,
    others: Arc<AtomicU32>,
}

impl Lines {
    fn logged(&self) -> (u32, u32) {
        (self.warnings.load(Ordering::Relaxed), self.others.load(Ordering::Relaxed))
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let is_warning = *event.metadata().level() <= Level::WARN;
        let count = if is_warning { &self.warnings } else { &self.others };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(target_os = "linux")]
#[test]
fn no_gpu_is_an_empty_list_and_no_warning() {
    let host = Folder::new();
    let lines = Lines::default();
    let told = tracing::subscriber::with_default(lines.clone(), || {
        until(&host.config(), &hive(), |hive| hive.cpu_usage_percent.is_some() && hive.vram_per_device.is_some())
    });
    assert_eq!((told.vram_per_device, told.failing_sources), (Some(vec![]), vec![]));
    assert_eq!(lines.logged(), (0, 0));
}

#[cfg(unix)]
#[test]
fn a_source_that_fails_is_told_and_logged_once_and_once_more_when_it_answers() {
    let host = Folder::new();
    let mut config = host.config();
    config.disk = host.path.join("later");
    config.refresh = Duration::from_millis(10);
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let metrics = HostMetrics::start_with(&config).unwrap();
        let error = format!("{}: No such file or directory (os error 2)", config.disk.display());
        let fails = until(&config, &hive(), |hive| !hive.failing_sources.is_empty());
        let [failing] = &fails.failing_sources[..] else { panic!("{fails:?}") };
        assert_eq!((&*failing.source, failing.age_ms, failing.error.as_ref()), ("disk", None, Some(&error)));
        until(&config, &hive(), |hive| hive.cpu_usage_percent.is_some());
        assert_eq!(lines.logged(), (1, 0));
        fs::create_dir(&config.disk).unwrap();
        until(&config, &hive(), |hive| hive.disk_total_gb.is_some() && hive.failing_sources.is_empty());
        assert_eq!(lines.logged(), (1, 1));
        drop(metrics);
    });
}

#[test]
fn figures_that_the_hive_sets_itself_are_left_alone() {
    let host = Folder::new();
    let mut own = hive();
    (own.ram_used_gb, own.vram_per_device) = (Some(1.0), Some(vec![VramInfo::new(7, 1.0, 2.0)]));
    let told = until(&host.config(), &own, |hive| hive.cpu_usage_percent.is_some());
    assert_eq!((told.ram_used_gb, told.vram_per_device), (own.ram_used_gb, own.vram_per_device));
    assert!(told.ram_total_gb > Some(0.0));
}

#[test]
fn the_numbers_of_nvidias_gpus_are_those_of_cuda_also_beside_others() {
    let gpus = |devices: &[u32]| devices.iter().map(|device| VramInfo::new(*device, 1.0, 2.0)).collect::<Vec<_>>();
    let numbers = |nvidia, amd| together(gpus(nvidia), gpus(amd)).iter().map(|gpu| gpu.device).collect::<Vec<_>>();
    assert_eq!(numbers(&[0, 2], &[0, 1]), [0, 2, 3, 4]);
    assert_eq!(numbers(&[], &[0, 1]), [0, 1]);
}

#[cfg(target_os = "linux")]
#[test]
fn where_a_card_has_no_driver_to_ask_it_is_not_said_that_there_is_none() {
    let gpus = |host: &Folder| crate::host_metrics::nvidia::open(host.config().host)().unwrap().figures;
    assert_eq!(gpus(&Folder::new()), Some(vec![]));
    let of_others = Folder::new();
    of_others.card(0, "0000:01:00.0", "0x8086\n", &[]);
    assert_eq!(gpus(&of_others), Some(vec![]));
    let for_displays = Folder::new();
    for_displays.card(0, "0000:01:00.0", "0x10de\n", &[]);
    assert_eq!(gpus(&for_displays), None);
    let for_computing = Folder::new();
    for_computing.write("dev/nvidiactl", "");
    assert_eq!(gpus(&for_computing), None);
}
