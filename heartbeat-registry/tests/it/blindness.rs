//! A registry that could not listen for too long says so.

use heartbeat_registry::contract::EventBody;

use crate::world::{World, id, plain, secs};

/// The facts about the registry itself since the last call: how many seconds were credited, and whether that is too much.
fn told(world: &mut World) -> Vec<(u64, bool)> {
    let of_the_registry = |event: heartbeat_registry::contract::Event| match event.body {
        EventBody::RegistryBlind { credited_ms, window_ms, active } => {
            assert_eq!((window_ms, event.kind, event.member), (300_000, None, None));
            Some((credited_ms / 1000, active))
        }
        _ => None,
    };
    world.events().into_iter().filter_map(of_the_registry).collect()
}

#[test]
fn too_much_blind_time_is_told_once_and_so_is_its_end() {
    let mut world = World::new();
    world.pass(secs(600));
    world.accept(plain("w"));
    world.stall(secs(59));
    assert_eq!(told(&mut world), []);
    world.stall(secs(5));
    assert_eq!(told(&mut world), [(63, true)]);
    world.stall(secs(5));
    assert_eq!(told(&mut world), [], "it is known");
    let blind = world.fleet.stats().blind;
    assert!(blind.active && blind.credited_ms > 68_000 && blind.share > 0.22 && blind.share < 0.24, "{blind:?}");
    world.pass(secs(200));
    assert_eq!(told(&mut world), []);
    world.pass(secs(100));
    let end = told(&mut world);
    assert!(matches!(end[..], [(26..=30, false)]), "{end:?}");
    assert!(!world.fleet.stats().blind.active);
}

#[test]
fn the_end_is_told_also_when_nobody_is_left_and_then_the_driver_rests() {
    let mut world = World::new();
    world.accept(plain("w"));
    world.stall(secs(3600));
    assert!(world.workers.stop_monitoring(&id("w")));
    assert_eq!(told(&mut world).len(), 1);
    world.pass(secs(301));
    assert!(matches!(told(&mut world)[..], [(_, false)]));
    assert_eq!(world.fleet.next_wake(), None);
}

#[test]
fn what_is_credited_leaves_the_stats_with_the_window_also_while_nobody_looks() {
    let world = World::new();
    world.accept(plain("w"));
    world.stall(secs(31));
    assert!(world.workers.stop_monitoring(&id("w")));
    world.fleet.sweep();
    assert_eq!(world.fleet.next_wake(), None);
    assert!(world.fleet.stats().blind.credited_ms > 30_000);
    world.pass(secs(301));
    assert_eq!(world.fleet.stats().blind.credited_ms, 0);
}
