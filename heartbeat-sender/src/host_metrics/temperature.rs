//! The temperature of the processor.

use sysinfo::Components;

use super::record::{Answer, Reading};

pub(super) fn open() -> impl FnMut() -> Answer<Option<f64>> {
    let mut components = Components::new().ok();
    move || {
        let Some(components) = &mut components else { return Ok(Reading::complete(None)) };
        components.refresh(true);
        let readings = components.iter().map(|component| (component.label(), component.temperature()));
        Ok(Reading::complete(hottest_processor(readings)))
    }
}

fn hottest_processor<'a>(readings: impl Iterator<Item = (&'a str, Option<f32>)>) -> Option<f64> {
    let of_processors = readings.filter(|(label, _)| is_processor(label));
    let celsius = of_processors.filter_map(|(_, celsius)| super::celsius(celsius?.into()));
    celsius.reduce(f64::max)
}

/// Whether a sensor is one of a processor: Intel's, AMD's, those of ARM boards, and Apple's.
fn is_processor(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    ["coretemp", "k10temp", "zenpower", "cpu", "tctl", "tdie", "soc"].iter().any(|word| label.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
