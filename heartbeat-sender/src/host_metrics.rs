//! The figures of this host, read off the send path.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use heartbeat_contract::{HiveHeartbeat, VramInfo};
use sysinfo::{Components, Gpus, System};

use crate::config::Fill;

const REFRESH: Duration = Duration::from_secs(5);
const GB: f64 = (1_u64 << 30) as f64;

/// Reads the figures of this host every 5 s, on threads of its own that end when it is dropped.
///
/// Processor and memory are read apart from the GPUs: a driver that hangs leaves those at their last figures, and delays
/// neither the others nor any beat. Off Linux, Windows and macOS there may be no figures at all.
#[derive(Debug)]
pub struct HostMetrics {
    vitals: Collector<Vitals>,
    gpus: Collector<Vec<VramInfo>>,
}

impl HostMetrics {
    /// Starts to read. The first figures are there after a fraction of a second.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Ok(Self {
            vitals: Collector::start("host-vitals", REFRESH, vitals)?,
            gpus: Collector::start("host-gpus", REFRESH, gpus)?,
        })
    }

    /// Fills in the figures that the hive has not set itself, as far as they are known.
    pub fn fill(&self, hive: &mut HiveHeartbeat) {
        let vitals = self.vitals.latest().unwrap_or_default();
        hive.cpu_usage_percent = hive.cpu_usage_percent.or(vitals.cpu_usage_percent);
        hive.ram_used_gb = hive.ram_used_gb.or(vitals.ram_used_gb);
        hive.ram_total_gb = hive.ram_total_gb.or(vitals.ram_total_gb);
        hive.temperature_celsius = hive.temperature_celsius.or(vitals.temperature_celsius);
        if hive.vram_per_device.is_none() {
            hive.vram_per_device = self.gpus.latest();
        }
    }
}

/// Starts to read, and returns what fills in each beat.
pub(crate) fn start_filling() -> Fill<HiveHeartbeat> {
    match HostMetrics::start() {
        Ok(metrics) => Box::new(move |hive| metrics.fill(hive)),
        Err(error) => {
            tracing::error!(%error, "cannot read the host's figures; beating without them");
            Box::new(|_| {})
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Vitals {
    cpu_usage_percent: Option<f64>,
    ram_used_gb: Option<f64>,
    ram_total_gb: Option<f64>,
    temperature_celsius: Option<f64>,
}

fn vitals() -> impl FnMut() -> Option<Vitals> {
    let mut system = System::new().ok();
    let mut components = Components::new().ok();
    if let Some(system) = &mut system {
        // Usage is measured from one refresh to the next.
        system.refresh_cpu_usage();
        thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
    }
    move || {
        let mut vitals = Vitals::default();
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
            system.refresh_memory();
            vitals.cpu_usage_percent = percent(system.global_cpu_usage());
            vitals.ram_used_gb = Some(gb(system.used_memory()));
            vitals.ram_total_gb = Some(gb(system.total_memory()));
        }
        if let Some(components) = &mut components {
            components.refresh(true);
            let readings = components.iter().map(|component| (component.label(), component.temperature()));
            vitals.temperature_celsius = hottest_processor(readings);
        }
        Some(vitals)
    }
}

fn gpus() -> impl FnMut() -> Option<Vec<VramInfo>> {
    let mut gpus = Gpus::new().ok();
    move || {
        let gpus = gpus.as_mut()?;
        gpus.refresh(true);
        let mut found: Vec<_> = gpus.iter().collect();
        // Without a display driver, sysinfo does not see NVIDIA's devices: then there are some, and nothing is known of them.
        if found.is_empty() && Path::new("/dev/nvidiactl").exists() {
            return None;
        }
        // CUDA and NVML number devices by their place on the bus.
        found.sort();
        Some(number(found.iter().map(|gpu| (gpu.model(), gpu.used_memory(), gpu.total_memory()))))
    }
}

/// Numbers the GPUs that have memory of their own; the others are displays at best.
fn number<'a>(found: impl Iterator<Item = (Option<&'a str>, Option<u64>, Option<u64>)>) -> Vec<VramInfo> {
    let with_memory = found.filter_map(|(name, used, total)| Some((name, used, total?)));
    let numbered = with_memory.zip(0..).filter_map(|((name, used, total), device)| {
        Some(VramInfo {
            device,
            name: name.map(str::to_owned),
            used_gb: gb(used?),
            total_gb: gb(total),
            temperature_celsius: None,
        })
    });
    numbered.collect()
}

fn hottest_processor<'a>(readings: impl Iterator<Item = (&'a str, Option<f32>)>) -> Option<f64> {
    let of_processors = readings.filter(|(label, _)| is_processor(label));
    let celsius = of_processors.filter_map(|(_, celsius)| celsius).filter(|celsius| celsius.is_finite());
    celsius.reduce(f32::max).map(f64::from)
}

/// Whether a sensor is one of a processor: Intel's, AMD's, those of ARM boards, and Apple's.
fn is_processor(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    ["coretemp", "k10temp", "zenpower", "cpu", "tctl", "tdie", "soc"].iter().any(|word| label.contains(word))
}

fn percent(share: f32) -> Option<f64> {
    share.is_finite().then(|| f64::from(share).clamp(0.0, 100.0))
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / GB
}

/// Measures on a thread of its own, so that whoever asks never waits.
#[derive(Debug)]
struct Collector<T> {
    latest: Arc<Mutex<Option<T>>>,
    /// Ends the thread when dropped.
    _end: mpsc::Sender<()>,
}

impl<T: Clone + Send + 'static> Collector<T> {
    /// Measures at once and then every so often. What measures is made on the thread that uses it.
    fn start<M, F>(name: &str, every: Duration, measuring: M) -> io::Result<Self>
    where
        M: FnOnce() -> F + Send + 'static,
        F: FnMut() -> Option<T>,
    {
        let latest = Arc::new(Mutex::new(None));
        let (end, ended) = mpsc::channel();
        let target = Arc::clone(&latest);
        let collect = move || {
            let mut measure = measuring();
            loop {
                if let Some(measured) = measure() {
                    *target.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
                }
                if ended.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(collect)?;
        Ok(Self { latest, _end: end })
    }

    /// The last figures, however old.
    fn latest(&self) -> Option<T> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::MemberId;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_hung_collector_yields_its_last_figures() {
        let (entered, entering) = mpsc::channel();
        let (release, hang) = mpsc::channel::<()>();
        let measuring = move || {
            let mut round = 0;
            move || {
                round += 1;
                // The thread outlives the test, which by then listens no more.
                entered.send(round).ok();
                if round == 2 {
                    hang.recv().ok();
                }
                Some(round)
            }
        };
        let collector = Collector::start("test", Duration::ZERO, measuring).unwrap();
        while entering.recv_timeout(LONG).unwrap() != 2 {}
        assert_eq!(collector.latest(), Some(1), "the second round hangs");
        drop(release);
        entering.recv_timeout(LONG).unwrap();
        assert!(collector.latest() >= Some(2));
    }

    #[test]
    fn dropping_a_collector_ends_its_thread() {
        let (alive, ended) = mpsc::channel::<()>();
        let measuring = move || {
            move || {
                let _ = &alive;
                Some(())
            }
        };
        drop(Collector::start("test", LONG, measuring).unwrap());
        assert_eq!(ended.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn the_hottest_processor_is_told_and_no_disk() {
        let readings = [
            ("nvme Composite", Some(81.0)),
            ("coretemp Package id 0", Some(61.5)),
            ("coretemp Core 1", Some(63.5)),
            ("coretemp Core 2", Some(f32::NAN)),
            ("k10temp Tctl", None),
        ];
        assert_eq!(hottest_processor(readings.into_iter()), Some(63.5));
        assert_eq!(hottest_processor([("acpitz", Some(40.0))].into_iter()), None);
    }

    #[test]
    fn gpus_with_memory_are_numbered_and_displays_are_not() {
        let gib = |n: u64| Some(n << 30);
        let found = [(Some("ASPEED"), None, None), (Some("H200"), gib(3), gib(141)), (None, gib(1), gib(24))];
        let numbered = number(found.into_iter());
        let told: Vec<_> = numbered.iter().map(|gpu| (gpu.device, gpu.name.as_deref(), gpu.used_gb)).collect();
        assert_eq!(told, [(0, Some("H200"), 3.0), (1, None, 1.0)]);
    }

    #[test]
    fn figures_that_the_hive_sets_itself_are_left_alone() {
        let known = Vitals { cpu_usage_percent: Some(50.0), ram_used_gb: Some(2.0), ..Vitals::default() };
        let ready = |vitals| Collector { latest: Arc::new(Mutex::new(Some(vitals))), _end: mpsc::channel().0 };
        let gpus = Collector { latest: Arc::new(Mutex::new(Some(Vec::new()))), _end: mpsc::channel().0 };
        let metrics = HostMetrics { vitals: ready(known), gpus };
        let mut hive = HiveHeartbeat::new(MemberId::new("hive-7").unwrap());
        hive.ram_used_gb = Some(1.0);
        metrics.fill(&mut hive);
        assert_eq!((hive.cpu_usage_percent, hive.ram_used_gb), (Some(50.0), Some(1.0)));
        assert_eq!((hive.temperature_celsius, hive.vram_per_device), (None, Some(Vec::new())));
    }
}
