//! What NVIDIA's driver tells, through the library that comes with it.

use std::path::PathBuf;

use heartbeat_contract::VramInfo;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;

use super::record::{Answer, Reading};
use super::{celsius, gb, name, share, watts};

/// The driver, if there is one. It may come, and be replaced, while this process runs.
pub(super) struct Driver {
    library: Option<PathBuf>,
    session: Option<Session>,
    was_there: bool,
}

/// The driver's library, loaded, and the GPUs that it had then.
struct Session {
    nvml: Nvml,
    /// Where on the bus the GPUs are, in that order. Their numbers stay the same if one is lost.
    buses: Vec<String>,
    /// GPUs whose place the driver cannot tell.
    lost: Vec<String>,
}

impl Driver {
    pub(super) fn new(library: Option<PathBuf>) -> Self {
        Self { library, session: None, was_there: false }
    }

    /// What it tells of its GPUs; `None` if there is no driver, and never was.
    pub(super) fn read(&mut self) -> Option<Answer<Option<Vec<VramInfo>>>> {
        let session = match self.session.take().map_or_else(|| self.open(), Ok) {
            Ok(session) => session,
            Err(error) if is_absence(&error) && !self.was_there => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        self.was_there = true;
        let answer = session.read();
        // One that answers for none of its GPUs may have been replaced: only a new session would see that.
        self.session = answer.is_ok().then_some(session);
        Some(answer)
    }

    fn open(&self) -> Result<Session, NvmlError> {
        let mut builder = Nvml::builder();
        if let Some(library) = &self.library {
            builder.lib_path(library.as_os_str());
        }
        Session::of(builder.init()?)
    }
}

impl Session {
    fn of(nvml: Nvml) -> Result<Self, NvmlError> {
        let (mut buses, mut lost) = (Vec::new(), Vec::new());
        for index in 0..nvml.device_count()? {
            match nvml.device_by_index(index).and_then(|gpu| gpu.pci_info()) {
                Ok(pci) => buses.push(pci.bus_id),
                // It belongs to others: this process may not compute on it either.
                Err(NvmlError::NoPermission) => {}
                Err(error) => lost.push(format!("the GPU of index {index}: {error}")),
            }
        }
        buses.sort();
        Ok(Self { nvml, buses, lost })
    }

    fn read(&self) -> Answer<Option<Vec<VramInfo>>> {
        let (mut gpus, mut failing) = (Vec::new(), self.lost.clone());
        for (device, bus) in (0..).zip(&self.buses) {
            match self.gpu(device, bus) {
                Ok(gpu) => gpus.extend(gpu),
                Err(error) => failing.push(format!("GPU {device}: {error}")),
            }
        }
        let missing = (!failing.is_empty()).then(|| failing.join("; "));
        match missing {
            Some(missing) if gpus.is_empty() => Err(missing),
            missing => {
                let is_known = !gpus.is_empty() || self.buses.is_empty();
                Ok(Reading { figures: is_known.then_some(gpus), missing })
            }
        }
    }

    /// What is known of a GPU; nothing if it has no memory of its own, or its driver is too old to tell. What else it does
    /// not tell is absent.
    fn gpu(&self, device: u32, bus: &str) -> Result<Option<VramInfo>, NvmlError> {
        let gpu = self.nvml.device_by_pci_bus_id(bus)?;
        let memory = match gpu.memory_info() {
            Err(NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_)) => return Ok(None),
            memory => memory?,
        };
        Ok(Some(VramInfo {
            name: gpu.name().ok().and_then(|text| name(&text)),
            utilization: gpu.utilization_rates().ok().and_then(|of| share(of.gpu.into())),
            temperature_celsius: gpu.temperature(TemperatureSensor::Gpu).ok().and_then(|of| celsius(of.into())),
            power_watts: gpu.power_usage().ok().and_then(|millis| watts(f64::from(millis) / 1e3)),
            ..VramInfo::new(device, gb(memory.used), gb(memory.total))
        }))
    }
}

/// Whether an error says that there is no driver, rather than that it fails.
fn is_absence(error: &NvmlError) -> bool {
    use NvmlError::{DriverNotLoaded, LibloadingError, LibraryNotFound};
    matches!(error, LibloadingError(_) | DriverNotLoaded | LibraryNotFound)
}
