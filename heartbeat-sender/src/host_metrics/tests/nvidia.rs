//! NVIDIA's GPUs, through a driver that stands in for the real one.

use heartbeat_contract::VramInfo;

use super::stand_in::{StandIn, TOTAL_GB, USED_GB};
use crate::host_metrics::nvml::Driver;
use crate::host_metrics::record::Reading;

const H100: &str = "NVIDIA H100 80GB HBM3";

fn driver(stand_in: &StandIn) -> Driver {
    Driver::new(stand_in.config().host.nvml)
}

fn memory(device: u32, used_gb: f64) -> VramInfo {
    VramInfo { name: Some(H100.to_owned()), ..VramInfo::new(device, used_gb, TOTAL_GB) }
}

/// The two, as they are told when all is well.
fn both() -> Vec<VramInfo> {
    let figures = |utilization, celsius, watts, gpu| VramInfo {
        utilization: Some(utilization),
        temperature_celsius: Some(celsius),
        power_watts: Some(watts),
        ..gpu
    };
    vec![figures(0.0, 34.0, 69.87, memory(0, USED_GB[0])), figures(0.97, 61.0, 612.345, memory(1, USED_GB[1]))]
}

#[track_caller]
fn expect(driver: &mut Driver, gpus: Option<Vec<VramInfo>>, missing: Option<&str>) {
    let missing = missing.map(str::to_owned);
    assert_eq!(driver.read(), Some(Ok(Reading { figures: gpus, missing })));
}

#[track_caller]
fn expect_error(driver: &mut Driver, error: &str) {
    assert_eq!(driver.read(), Some(Err(error.to_owned())));
}

#[test]
fn gpus_are_numbered_by_their_place_on_the_bus_and_told_with_all_their_figures() {
    let Some(stand_in) = StandIn::build() else { return };
    expect(&mut driver(&stand_in), Some(both()), None);
}

#[test]
fn figures_that_a_card_does_not_support_or_that_are_odd_are_absent() {
    let Some(stand_in) = StandIn::build() else { return };
    let mut driver = driver(&stand_in);
    for mode in ["memory_only", "odd"] {
        stand_in.fare(mode);
        expect(&mut driver, Some(vec![memory(0, USED_GB[0]), memory(1, USED_GB[1])]), None);
    }
}

#[test]
fn of_gpus_without_memory_of_their_own_nothing_is_known() {
    let Some(stand_in) = StandIn::build() else { return };
    stand_in.fare("no_memory");
    expect(&mut driver(&stand_in), None, None);
}

#[test]
fn a_driver_without_gpus_tells_an_empty_list() {
    let Some(stand_in) = StandIn::build() else { return };
    stand_in.fare("no_gpu");
    expect(&mut driver(&stand_in), Some(vec![]), None);
}

#[test]
fn gpus_that_belong_to_others_have_no_number() {
    let Some(stand_in) = StandIn::build() else { return };
    stand_in.fare("not_ours");
    let [_, busy] = &both()[..] else { panic!() };
    expect(&mut driver(&stand_in), Some(vec![VramInfo { device: 0, ..busy.clone() }]), None);
}

#[test]
fn a_gpu_that_is_lost_is_named_and_the_others_keep_their_numbers() {
    let Some(stand_in) = StandIn::build() else { return };
    let mut driver = driver(&stand_in);
    expect(&mut driver, Some(both()), None);
    stand_in.fare("one_lost");
    let missing = "GPU 0: device fell off the bus or has otherwise become inacessible";
    expect(&mut driver, Some(both()[1..].to_vec()), Some(missing));
    stand_in.fare("normal");
    expect(&mut driver, Some(both()), None);
}

#[test]
fn a_gpu_that_was_lost_before_is_named_too() {
    let Some(stand_in) = StandIn::build() else { return };
    stand_in.fare("one_lost");
    let missing = "the GPU of index 1: device fell off the bus or has otherwise become inacessible";
    let [_, busy] = &both()[..] else { panic!() };
    expect(&mut driver(&stand_in), Some(vec![VramInfo { device: 0, ..busy.clone() }]), Some(missing));
}

#[test]
fn a_driver_that_is_lost_in_between_is_an_error_and_is_read_again_when_it_is_back() {
    let Some(stand_in) = StandIn::build() else { return };
    let mut driver = driver(&stand_in);
    expect(&mut driver, Some(both()), None);
    stand_in.fare("all_lost");
    let lost = "device fell off the bus or has otherwise become inacessible";
    expect_error(&mut driver, &format!("GPU 0: {lost}; GPU 1: {lost}"));
    stand_in.fare("not_loaded");
    expect_error(&mut driver, "NVIDIA driver is not loaded");
    stand_in.fare("normal");
    expect(&mut driver, Some(both()), None);
}

#[test]
fn a_library_of_another_version_than_the_driver_is_an_error_from_the_start() {
    let Some(stand_in) = StandIn::build() else { return };
    stand_in.fare("mismatch");
    expect_error(&mut driver(&stand_in), "RM detects a driver/library version mismatch");
}

#[test]
fn without_library_or_driver_there_is_no_answer_until_there_is_one() {
    let Some(stand_in) = StandIn::build() else { return };
    assert_eq!(Driver::new(stand_in.folder.config().host.nvml).read(), None);
    let mut driver = driver(&stand_in);
    stand_in.fare("not_loaded");
    assert_eq!(driver.read(), None);
    stand_in.fare("normal");
    expect(&mut driver, Some(both()), None);
}

/// Where there is real hardware, it is read.
#[test]
fn the_gpus_of_this_machine_are_told_if_it_has_a_driver() {
    let answer = Driver::new(None).read();
    if !std::path::Path::new("/dev/nvidiactl").exists() {
        assert!(!matches!(answer, Some(Ok(Reading { figures: Some(gpus), .. })) if !gpus.is_empty()));
        return;
    }
    let gpus = answer.unwrap().unwrap().figures.unwrap();
    assert!(!gpus.is_empty() && gpus.iter().all(|gpu| gpu.used_gb <= gpu.total_gb && gpu.name.is_some()), "{gpus:?}");
}
