//! NVIDIA's GPUs.

use heartbeat_contract::VramInfo;

use super::record::{Answer, Reading};
use super::{Host, drm};

/// Tells `None` where there are some, of which nothing can be known.
pub(super) fn open(host: Host) -> impl FnMut() -> Answer<Option<Vec<VramInfo>>> {
    #[cfg(feature = "nvidia")]
    let mut driver = super::nvml::Driver::new(host.nvml.clone());
    move || {
        #[cfg(feature = "nvidia")]
        if let Some(answer) = driver.read() {
            return answer;
        }
        Ok(Reading::complete(has_none(&host).then(Vec::new)))
    }
}

/// Whether the host surely has none. Drivers for computing alone show no graphics card, but a device.
fn has_none(host: &Host) -> bool {
    let cards = || drm::cards(&host.sysfs).unwrap_or_default();
    cfg!(target_os = "linux")
        && !host.dev.join("nvidiactl").exists()
        && cards().iter().all(|card| card.vendor != drm::NVIDIA)
}
