//! Processor and memory.

use std::thread;

use sysinfo::System;

use super::gb;
use super::record::{Answer, Reading};

#[derive(Clone, Debug, Default)]
pub(super) struct CpuRam {
    pub(super) cpu_usage_percent: Option<f64>,
    pub(super) ram_used_gb: Option<f64>,
    pub(super) ram_total_gb: Option<f64>,
}

pub(super) fn open() -> impl FnMut() -> Answer<CpuRam> {
    let mut system = System::new().ok();
    if let Some(system) = &mut system {
        // Usage is measured from one refresh to the next.
        system.refresh_cpu_usage();
        thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
    }
    move || {
        let Some(system) = &mut system else { return Ok(Reading::complete(CpuRam::default())) };
        system.refresh_cpu_usage();
        system.refresh_memory();
        Ok(Reading::complete(CpuRam {
            cpu_usage_percent: percent(system.global_cpu_usage()),
            ram_used_gb: Some(gb(system.used_memory())),
            ram_total_gb: Some(gb(system.total_memory())),
        }))
    }
}

fn percent(share: f32) -> Option<f64> {
    share.is_finite().then(|| f64::from(share).clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_no_number_is_absent() {
        assert_eq!([f32::NAN, f32::INFINITY, 100.5, 37.5].map(percent), [None, None, Some(100.0), Some(37.5)]);
    }
}
