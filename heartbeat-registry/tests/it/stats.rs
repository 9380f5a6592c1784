//! What a fleet tells of itself.

use heartbeat_registry::contract::{HiveHeartbeat, Kind, MemberStats};
use heartbeat_registry::{Fleet, FleetConfig, HiveRegistry};

use crate::world::{World, beat, goodbye, id, millis, plain, secs};

#[test]
fn stats_tell_how_many_are_in_which_state_by_kind_and_how_many_beats_came() {
    let world = World::new();
    assert_eq!(world.fleet.stats().driver.looked_at, 0);
    for (name, pause) in [("failed", secs(2)), ("critical", secs(1)), ("degraded", secs(1)), ("healthy", millis(500))] {
        world.accept(beat(name, 1, 0));
        world.pass(pause);
    }
    world.accept(goodbye(plain("registers-nobody")));
    world.accept(beat("left", 1, 0));
    world.accept(goodbye(beat("left", 1, 1)));
    world.accept(beat("healthy", 1, 0));
    world.accept(beat("newer", 2, 0));
    world.accept(goodbye(beat("newer", 2, 1)));
    world.record(beat("newer", 1, 1)).unwrap_err();
    world.workers.stop_monitoring(&id("newer"));
    HiveRegistry::new(&world.fleet).record(HiveHeartbeat::new(id("hive"))).unwrap();

    let one_each = MemberStats { total: 5, healthy: 1, degraded: 1, critical: 1, failed: 1, left: 1 };
    let stats = world.fleet.stats();
    assert_eq!((stats.kinds[&Kind::WORKER], world.workers.stats()), (one_each, one_each));
    assert_eq!(stats.members, MemberStats { total: 6, healthy: 2, ..one_each });
    assert_eq!((stats.beats.fresh, stats.beats.duplicate, stats.beats.refused), (9, 1, 1));
    assert_eq!((stats.detection.failures, stats.uptime_ms), (1, 4_500));
    // Six edges were passed; that which was far ahead may be looked at a few times.
    assert!((6..100).contains(&stats.driver.looked_at), "{}", stats.driver.looked_at);
}

#[test]
fn stats_tell_whether_anybody_judges() {
    assert!(!World::new().fleet.stats().driver.alive);
    assert!(Fleet::start(FleetConfig::default()).unwrap().stats().driver.alive);
}
