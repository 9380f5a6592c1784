//! A host without devices, or with those that a test makes up.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::HostMetricsConfig;
use crate::host_metrics::Host;

/// A folder of its own for a test, gone with it.
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("host-metrics-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self { path }
    }

    /// A host that shows its devices here, and has no driver of NVIDIA's.
    pub(super) fn config(&self) -> HostMetricsConfig {
        let [sysfs, dev, nvml] = ["sys", "dev", "no-library.so"].map(|name| self.path.join(name));
        let host = Host { sysfs, dev, nvml: Some(nvml) };
        HostMetricsConfig { host, ..HostMetricsConfig::default() }
    }

    pub(super) fn write(&self, file: &str, content: &str) {
        let path = self.path.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A graphics card at a place on the bus.
    #[cfg(unix)]
    pub(super) fn card(&self, number: u32, bus: &str, vendor: &str, files: &[(&str, &str)]) {
        for (file, content) in files.iter().chain(&[("vendor", vendor)]) {
            self.write(&format!("sys/devices/{bus}/{file}"), content);
        }
        let card = self.path.join(format!("sys/class/drm/card{number}"));
        fs::create_dir_all(&card).unwrap();
        std::os::unix::fs::symlink(format!("../../../devices/{bus}"), card.join("device")).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}
