//! What a hive tells of its machine, in words.

use heartbeat_contract::{HiveHeartbeat, MemberView, VramInfo};

/// The figures that the registry shows of a hive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) words: String,
    /// Whether the processor's load is known, and what GPUs there are. Neither is from the first beat on.
    pub(super) are_complete: bool,
}

impl Figures {
    pub(super) fn of(view: &MemberView) -> Self {
        let payload = view.payload.clone().unwrap_or_default();
        let hive: Option<HiveHeartbeat> = serde_json::from_value(payload).ok();
        hive.map_or_else(Self::unknown, |hive| Self::told_by(&hive))
    }

    fn unknown() -> Self {
        Self { words: "nothing is known".to_owned(), are_complete: false }
    }

    fn told_by(hive: &HiveHeartbeat) -> Self {
        let (load, devices) = (hive.cpu_usage_percent, hive.vram_per_device.as_deref());
        let processor = load.map_or("processor unknown".to_owned(), |percent| format!("processor {percent:.0} % busy"));
        let memory = hive.ram_used_gb.zip(hive.ram_total_gb);
        let memory = memory.map(|(used, total)| format!("memory {used:.1} of {total:.1} GB"));
        let temperature = hive.temperature_celsius.map(|celsius| format!("{celsius:.0} degrees Celsius"));
        let gpus = devices.map_or("GPUs unknown".to_owned(), gpus);
        let all = [Some(processor), memory, temperature, Some(gpus)];
        let words = all.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Self { words, are_complete: load.is_some() && devices.is_some() }
    }
}

fn gpus(gpus: &[VramInfo]) -> String {
    if gpus.is_empty() {
        return "no GPU found".to_owned();
    }
    let one = |gpu: &VramInfo| {
        let name = gpu.name.as_deref().unwrap_or("GPU");
        format!("{name} with {:.1} of {:.1} GB used", gpu.used_gb, gpu.total_gb)
    };
    gpus.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_by(figures: &serde_json::Value) -> (String, bool) {
        let mut json = serde_json::json!({ "hive_id": "a" });
        json.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
        let Figures { words, are_complete } = Figures::told_by(&serde_json::from_value(json).unwrap());
        (words, are_complete)
    }

    #[test]
    fn what_is_known_is_told_beside_what_is_not() {
        let figures = serde_json::json!({ "cpu_usage_percent": 6.7, "ram_used_gb": 0.6, "ram_total_gb": 24.0 });
        let told = "processor 7 % busy, memory 0.6 of 24.0 GB, GPUs unknown".to_owned();
        assert_eq!(told_by(&figures), (told, false));
        let figures = serde_json::json!({ "vram_per_device": [] });
        assert_eq!(told_by(&figures), ("processor unknown, no GPU found".to_owned(), false));
        let figures = serde_json::json!({ "cpu_usage_percent": 6.7, "vram_per_device": [] });
        assert_eq!(told_by(&figures), ("processor 7 % busy, no GPU found".to_owned(), true));
    }

    #[test]
    fn a_machine_without_gpu_is_told_so() {
        assert_eq!(gpus(&[]), "no GPU found");
        let gpu = |name: &str| VramInfo { name: Some(name.to_owned()), ..VramInfo::new(0, 0.5, 24.0) };
        assert_eq!(gpus(&[gpu("A"), gpu("B")]), "A with 0.5 of 24.0 GB used, B with 0.5 of 24.0 GB used");
    }
}
