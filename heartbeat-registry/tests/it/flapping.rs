//! Members that change their state too often.

use heartbeat_registry::FleetConfig;
use heartbeat_registry::contract::{EventBody, Flag, HealthState, HealthStatus, MemberView, Policy};

use crate::world::{World, beat, feeling, goodbye, id, plain, secs};

fn view(world: &World) -> MemberView {
    world.workers.view(&id("w")).unwrap()
}

/// Silent until it is degraded, then back.
fn flap(world: &World) {
    world.pass(secs(2));
    world.accept(plain("w"));
}

/// Whether it began to flap or settled, and when.
fn flapping(world: &mut World) -> Vec<(bool, jiff::Timestamp)> {
    let told = |event: heartbeat_registry::contract::Event| match event.body {
        EventBody::Flapping { active, .. } => Some((active, event.at)),
        _ => None,
    };
    world.events().into_iter().filter_map(told).collect()
}

#[test]
fn a_member_that_recovers_too_often_is_told_once_and_again_when_it_has_settled() {
    let mut world = World::new();
    world.accept(plain("w"));
    (0..3).for_each(|_| flap(&world));
    assert_eq!((flapping(&mut world), view(&world).flags), (vec![], vec![]), "three, less what has decayed");
    flap(&world);
    let began = flapping(&mut world);
    assert_eq!((began.len(), began[0].0), (1, true));
    (0..3).for_each(|_| flap(&world));
    assert_eq!(flapping(&mut world), [], "told once");
    let shown = view(&world);
    assert_eq!((&shown.flags[..], shown.flap_score, shown.state), (&[Flag::Flapping][..], 7.0, HealthState::Healthy));
    let told = world.workers.explain(&id("w")).unwrap().words;
    assert!(told.last().unwrap().starts_with("It is flapping, with a score of 7.0"), "{told:?}");
    // It beats in time from now on, and its score is below 1 after not quite three half-lives.
    for _ in 0..1_800 {
        world.pass(secs(1));
        world.accept(plain("w"));
    }
    let settled = flapping(&mut world);
    assert_eq!((settled.len(), settled[0].0), (1, false));
    assert_eq!(view(&world).flags, []);
    assert!(view(&world).flap_score <= 1.0);
}

#[test]
fn a_member_that_flaps_settles_also_while_nothing_comes_of_it() {
    let mut world = World::new();
    world.accept(plain("w"));
    (0..4).for_each(|_| flap(&world));
    flapping(&mut world);
    world.pass(secs(1_300));
    let told = flapping(&mut world);
    assert_eq!((world.state("w"), told.len(), told[0].0), (HealthState::Failed, 1, false));
    let mut world = World::with(FleetConfig {
        policy: Policy::every(secs(1)),
        forget_left_after: secs(3_600),
        ..FleetConfig::default()
    });
    world.accept(plain("w"));
    (0..4).for_each(|_| flap(&world));
    flapping(&mut world);
    world.accept(goodbye(plain("w")));
    world.pass(secs(1_300));
    let told = flapping(&mut world);
    assert_eq!((world.state("w"), told.len(), told[0].0), (HealthState::Left, 1, false));
}

#[test]
fn only_recoveries_count_and_neither_goodbyes_nor_restarts_after_them() {
    let mut world = World::new();
    for run in 1..10 {
        world.accept(beat("w", run, 0));
        world.accept(goodbye(beat("w", run, 1)));
    }
    for name in ["a", "b", "c", "d", "e"] {
        world.accept(plain(name));
    }
    world.accept(beat("w", 10, 0));
    assert_eq!((view(&world).flap_score, flapping(&mut world)), (0.0, vec![]));
    for _ in 0..4 {
        world.accept(feeling(plain("a"), HealthStatus::Degraded));
        world.accept(plain("a"));
    }
    assert_eq!(flapping(&mut world).len(), 1, "what it says of itself counts, too");
}

#[test]
fn flapping_changes_no_state_and_no_deadline() {
    let [once, often] = [1, 8].map(|times| {
        let world = World::new();
        world.accept(plain("w"));
        (0..times).for_each(|_| flap(&world));
        view(&world)
    });
    assert_eq!((once.deadlines, once.state), (often.deadlines, often.state));
    assert_ne!(once.flags, often.flags);
}
