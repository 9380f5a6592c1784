//! For which share of the last day members were available.

use heartbeat_registry::FleetConfig;
use heartbeat_registry::contract::{HealthState, Policy};

use crate::world::{World, beat, goodbye, id, plain, secs};

const HOUR: u64 = 3_600;

fn of(world: &World, name: &str) -> Option<f64> {
    world.workers.view(&id(name)).unwrap().availability
}

#[track_caller]
fn expect(share: Option<f64>, expected: f64) {
    let share = share.unwrap();
    assert!((share - expected).abs() < 1e-3, "{share} is not {expected}");
}

/// A world in which members beat once an hour and fail at the second that is late.
fn hourly() -> World {
    let policy = Policy { threshold: 2, allowance: Some(secs(0)), ..Policy::every(secs(HOUR)) };
    World::with(FleetConfig { policy, ..FleetConfig::default() })
}

#[test]
fn availability_is_the_share_of_the_time_known_and_not_failed() {
    let world = World::new();
    assert_eq!(world.fleet.stats().availability, None);
    world.accept(plain("w"));
    assert_eq!(of(&world, "w"), None, "it is not yet known for any time");
    world.pass(secs(3));
    assert_eq!(of(&world, "w"), Some(1.0), "critical is not failed");
    world.pass(secs(10));
    expect(of(&world, "w"), 3.25 / 13.0);
    world.accept(plain("w"));
    expect(of(&world, "w"), 3.25 / 13.0);
    world.pass(secs(1));
    expect(of(&world, "w"), 4.25 / 14.0);
    expect(world.fleet.stats().availability, 4.25 / 14.0);
}

#[test]
fn the_time_after_a_goodbye_does_not_count() {
    let world = World::new();
    world.accept(beat("w", 1, 0));
    world.pass(secs(1));
    world.accept(goodbye(beat("w", 1, 1)));
    world.pass(secs(500));
    assert_eq!(of(&world, "w"), Some(1.0));
    world.accept(beat("w", 2, 0));
    world.pass(secs(5));
    assert_eq!(world.state("w"), HealthState::Failed);
    expect(of(&world, "w"), 4.25 / 6.0);
    expect(world.fleet.stats().availability, 4.25 / 6.0);
}

#[test]
fn what_was_more_than_a_day_ago_does_not_count() {
    let world = hourly();
    world.accept(plain("w"));
    world.pass(secs(6 * HOUR));
    expect(of(&world, "w"), 2.0 / 6.0);
    let beat_for = |hours: u64| {
        for _ in 0..hours {
            world.accept(plain("w"));
            world.pass(secs(HOUR));
        }
    };
    beat_for(18);
    expect(of(&world, "w"), 20.0 / 24.0);
    beat_for(4);
    expect(of(&world, "w"), 22.0 / 24.0);
    expect(world.fleet.stats().availability, 22.0 / 24.0);
    beat_for(3);
    assert_eq!((of(&world, "w"), world.fleet.stats().availability), (Some(1.0), Some(1.0)));
}

#[test]
fn those_forgotten_still_count_among_all() {
    let world = World::new();
    for name in ["failed", "forgotten"] {
        world.accept(plain(name));
    }
    world.pass(secs(5));
    world.workers.stop_monitoring(&id("forgotten"));
    expect(world.fleet.stats().availability, 3.25 / 5.0);
    world.pass(secs(5));
    expect(world.fleet.stats().availability, 6.5 / 15.0);
}

#[test]
fn blind_time_is_no_unavailability() {
    let world = World::new();
    world.accept(plain("w"));
    world.pass(secs(4));
    world.stall(secs(100_000));
    expect(of(&world, "w"), 3.25 / 4.0);
}
