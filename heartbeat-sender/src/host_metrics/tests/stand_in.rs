//! A driver of NVIDIA's that tests can make do anything: a real library, loaded as the real one is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::process::Command;

use super::folder::Folder;
use crate::HostMetricsConfig;

/// The memory of each of its GPUs: 81559 MiB.
pub(super) const TOTAL_GB: f64 = 79.647_460_937_5;
/// What is in use of it, in the order of the bus; all, while the driver fares `busy`.
pub(super) const USED_GB: [f64; 2] = [1.0, 71.25];

pub(super) struct StandIn {
    pub(super) folder: Folder,
}

impl StandIn {
    /// Builds it; `None` if there is no compiler for C.
    pub(super) fn build() -> Option<Self> {
        let folder = Folder::new();
        folder.write("gate", "");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/host_metrics/tests/stand_in.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"])
            .arg(format!("-DFOLDER=\"{}\"", folder.path.display()))
            .arg("-o")
            .arg(folder.path.join("library.so"))
            .arg(source)
            .output();
        match built {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Not println, which the test harness would swallow.
                writeln!(io::stdout(), "skipped: cc not found (cargo xtask setup)").unwrap();
                return None;
            }
            Err(error) => panic!("cc cannot be run: {error}"),
        }
        Some(Self { folder })
    }

    /// A host with this driver and no other device.
    pub(super) fn config(&self) -> HostMetricsConfig {
        let mut config = self.folder.config();
        config.host.nvml = Some(self.folder.path.join("library.so"));
        config
    }

    pub(super) fn fare(&self, mode: &str) {
        // Put in place at once, as it is read meanwhile.
        self.folder.write("mode.new", mode);
        fs::rename(self.folder.path.join("mode.new"), self.folder.path.join("mode")).unwrap();
    }

    /// Lets each call hang until what this returns is dropped.
    pub(super) fn hang(&self) -> File {
        let gate = File::open(self.folder.path.join("gate")).unwrap();
        gate.lock().unwrap();
        gate
    }
}
