//! The figures of this host, read off the send path.

mod amd;
mod collector;
mod cpu_ram;
mod disk;
mod drm;
mod nvidia;
#[cfg(feature = "nvidia")]
mod nvml;
mod record;
mod temperature;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartbeat_contract::{HiveHeartbeat, VramInfo};

use self::collector::{Collector, Collectors};
use self::cpu_ram::CpuRam;
use self::disk::Space;
use crate::clock::steady;
use crate::config::Fill;

const GB: f64 = (1_u64 << 30) as f64;

static CPU_RAM: Collectors<CpuRam> = Collectors::new("cpu_ram");
static DISK: Collectors<Space> = Collectors::new("disk");
static TEMPERATURE: Collectors<Option<f64>> = Collectors::new("temperature");
static NVIDIA: Collectors<Option<Vec<VramInfo>>> = Collectors::new("nvidia");
static AMD: Collectors<Vec<VramInfo>> = Collectors::new("amd");

/// Reads the figures of this host every 5 s, on a thread for each source: processor and memory, disk, temperature, NVIDIA's
/// GPUs, AMD's GPUs.
///
/// A source that hangs, as drivers do, delays neither the others nor any beat: beats tell what was read from it last, and
/// in [`failing_sources`](HiveHeartbeat::failing_sources) how old that is, once it has not answered for 10 s. It is asked
/// again when it comes back. A source that answers with an error is told in the same way. A process reads each source once,
/// however many of these it has; the threads end with the last.
///
/// NVIDIA's GPUs need the feature `nvidia`, and their driver: its library is loaded at run time, and looked for where the
/// system looks for libraries (`LD_LIBRARY_PATH`). AMD's are read on Linux only, the disk on Unix only. Where there is no
/// GPU, the list of them is empty, and nothing is said of it; where there is one that cannot be read, there is no list.
#[derive(Debug)]
pub struct HostMetrics {
    cpu_ram: Collector<CpuRam>,
    disk: Collector<Space>,
    temperature: Collector<Option<f64>>,
    nvidia: Collector<Option<Vec<VramInfo>>>,
    amd: Collector<Vec<VramInfo>>,
}

/// Which figures of the host to read.
///
/// ```
/// use heartbeat_sender::HostMetricsConfig;
///
/// let mut config = HostMetricsConfig::default();
/// config.disk = "/var/lib/models".into();
/// ```
#[derive(Clone, Debug)]
pub struct HostMetricsConfig {
    /// A path on the file system whose space is told; default `/`. Choose the one that fills up.
    pub disk: PathBuf,
    pub(crate) host: Host,
    pub(crate) refresh: Duration,
    pub(crate) deadline: Duration,
}

/// Where the host shows its devices.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    sysfs: PathBuf,
    dev: PathBuf,
    /// `None`: what the system finds under the usual name.
    nvml: Option<PathBuf>,
}

impl Default for HostMetricsConfig {
    fn default() -> Self {
        Self {
            disk: "/".into(),
            host: Host { sysfs: "/sys".into(), dev: "/dev".into(), nvml: None },
            refresh: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
        }
    }
}

impl HostMetrics {
    /// Starts to read, the space of `/` among others. The first figures are there after a fraction of a second.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&HostMetricsConfig::default())
    }

    /// Starts to read what a config says.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_with(config: &HostMetricsConfig) -> io::Result<Self> {
        let pace = (config.refresh, config.deadline);
        let (host, disk) = (config.host.clone(), config.disk.clone());
        let nvml = host.nvml.clone().unwrap_or_default();
        let sysfs = host.sysfs.clone();
        Ok(Self {
            cpu_ram: CPU_RAM.start(Path::new("/"), pace, cpu_ram::open)?,
            disk: DISK.start(&config.disk, pace, move || disk::open(disk.clone()))?,
            temperature: TEMPERATURE.start(Path::new("/"), pace, temperature::open)?,
            nvidia: NVIDIA.start(&nvml, pace, move || nvidia::open(host.clone()))?,
            amd: AMD.start(&config.host.sysfs, pace, move || amd::open(sysfs.clone()))?,
        })
    }

    /// Fills in the figures that the hive has not set itself, as far as they are known. Never waits for a source.
    pub fn fill(&self, hive: &mut HiveHeartbeat) {
        let now = steady();
        let mut failing = Vec::new();
        let cpu_ram = self.cpu_ram.latest(now, &mut failing).unwrap_or_default();
        let disk = self.disk.latest(now, &mut failing).unwrap_or_default();
        let temperature = self.temperature.latest(now, &mut failing).flatten();
        let nvidia = self.nvidia.latest(now, &mut failing).flatten();
        let amd = self.amd.latest(now, &mut failing);
        hive.cpu_usage_percent = hive.cpu_usage_percent.or(cpu_ram.cpu_usage_percent);
        hive.ram_used_gb = hive.ram_used_gb.or(cpu_ram.ram_used_gb);
        hive.ram_total_gb = hive.ram_total_gb.or(cpu_ram.ram_total_gb);
        hive.disk_used_gb = hive.disk_used_gb.or(disk.used_gb);
        hive.disk_total_gb = hive.disk_total_gb.or(disk.total_gb);
        hive.temperature_celsius = hive.temperature_celsius.or(temperature);
        if hive.vram_per_device.is_none() {
            hive.vram_per_device = nvidia.zip(amd).map(|(nvidia, amd)| together(nvidia, amd));
        }
        if hive.failing_sources.is_empty() {
            hive.failing_sources = failing;
        }
    }
}

/// Starts to read, and returns what fills in each beat.
pub(crate) fn start_filling(config: &HostMetricsConfig) -> Fill<HiveHeartbeat> {
    match HostMetrics::start_with(config) {
        Ok(metrics) => Box::new(move |hive| metrics.fill(hive)),
        Err(error) => {
            tracing::error!(%error, "cannot read the host's figures; beating without them");
            Box::new(|_| {})
        }
    }
}

/// NVIDIA's GPUs come first, so that their numbers are CUDA's, also beside an AMD processor with graphics.
fn together(mut nvidia: Vec<VramInfo>, amd: Vec<VramInfo>) -> Vec<VramInfo> {
    let first = nvidia.last().map_or(0, |gpu| gpu.device + 1);
    nvidia.extend((first..).zip(amd).map(|(device, gpu)| VramInfo { device, ..gpu }));
    nvidia
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / GB
}

/// A share that a driver tells in percent, from 0 to 1; nothing if it is none.
fn share(percent: u64) -> Option<f64> {
    (percent <= 100).then(|| percent as f64 / 100.0)
}

/// A temperature that a device may have.
fn celsius(degrees: f64) -> Option<f64> {
    (-100.0..=250.0).contains(&degrees).then_some(degrees)
}

/// A power that a device may draw, in watts.
fn watts(power: f64) -> Option<f64> {
    (0.0..=10_000.0).contains(&power).then_some(power)
}

/// The name of a device, unless it is too long for a beat.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= 256).then(|| text.to_owned())
}
