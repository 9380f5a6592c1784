//! Members whose allowance is learnt from their own arrivals.

use heartbeat_registry::FleetConfig;
use heartbeat_registry::contract::{Detector, EventBody, HealthState, MemberView, Policy, WorkerHeartbeat};
use proptest::prelude::*;

use crate::world::{World, beat, every, id, millis, plain, secs, with};

fn adaptive() -> Policy {
    Policy { detector: Detector::Adaptive, ..Policy::default() }
}

fn world() -> World {
    World::with(FleetConfig { policy: adaptive(), ..FleetConfig::default() })
}

fn view(world: &World) -> MemberView {
    world.workers.view(&id("w")).unwrap()
}

fn allowance(world: &World) -> u64 {
    view(world).allowance_ms.unwrap()
}

/// A beat every second, with its slot.
fn tick(seq: u64) -> WorkerHeartbeat {
    with(every(beat("w", 1, seq), secs(1)), |info| info.tick = Some(seq))
}

/// Beats in time from one seq to another.
fn beat_on(world: &World, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        world.accept(tick(seq));
        world.pass(secs(1));
    }
}

#[test]
fn a_punctual_member_is_allowed_less_and_noticed_sooner() {
    let mut world = world();
    world.accept(tick(0));
    assert_eq!(allowance(&world), 250, "the fixed allowance, before anything is known");
    world.pass(secs(1));
    beat_on(&world, 1..3_000);
    world.accept(tick(3_000));
    let shown = view(&world);
    let learnt = shown.allowance_ms.unwrap();
    assert!(learnt < 20, "{learnt}");
    let edges = shown.deadlines.unwrap();
    let learnt = i64::try_from(learnt).unwrap();
    assert_eq!((edges.degraded_in_ms, edges.failed_in_ms), (1_000 + learnt, 3_000 + learnt));
    assert_eq!(shown.policy.allowance, millis(250), "what the policy says is shown as it is");
    let words = world.workers.explain(&id("w")).unwrap().words;
    assert!(words[1].contains(&format!("(3 x 1s + {learnt}ms, learnt from its arrivals)")), "{words:?}");
    world.events();
    world.pass(secs(4));
    let ages: Vec<u64> = world.events().into_iter().filter_map(|event| age_at_failure(&event.body)).collect();
    assert_eq!(ages, [3_000 + u64::try_from(learnt).unwrap()]);
}

#[test]
fn a_member_that_is_often_late_is_allowed_more() {
    let mut world = world();
    for seq in 0..200 {
        world.accept(tick(seq));
        world.pass(if seq % 10 == 0 { millis(1_700) } else { millis(1_000) - millis(700) / 9 });
    }
    assert!(allowance(&world) >= 700, "{}", allowance(&world));
    world.events();
    world.accept(tick(200));
    world.pass(millis(1_600));
    world.accept(tick(201));
    assert_eq!(world.transitions(), [""; 0], "late as it often is");
}

#[test]
fn nobody_is_allowed_more_than_twice_the_fixed_deadline() {
    let world = World::with(FleetConfig {
        policy: Policy { interval: Some(secs(1)), threshold: 2, ..adaptive() },
        ..FleetConfig::default()
    });
    // Each gap is a little less than what the one before allowed.
    for (gap, allowed) in [(0, 250), (2_200, 1_200), (3_100, 2_100), (4_050, 2_500)] {
        world.pass(millis(gap));
        world.accept(plain("w"));
        assert_eq!(allowance(&world), allowed, "after {gap} ms");
    }
    assert_eq!(view(&world).deadlines.unwrap().failed_in_ms, 4_500, "twice 2.25 s");
}

#[test]
fn what_was_learnt_is_void_with_a_new_run_another_interval_or_another_policy() {
    let world = world();
    let learn = |from: u64| {
        beat_on(&world, from..from + 500);
        assert!(allowance(&world) < 200);
    };
    learn(0);
    world.workers.start_monitoring(&id("w"), Policy { history: 7, ..adaptive() }).unwrap();
    world.accept(tick(500));
    assert_eq!(allowance(&world), 250, "what was learnt was learnt for another policy");
    world.accept(every(beat("w", 2, 0), secs(1)));
    assert_eq!(allowance(&world), 250);
    for seq in 1..500 {
        world.pass(secs(1));
        world.accept(every(beat("w", 2, seq), secs(1)));
    }
    assert!(allowance(&world) < 200);
    world.accept(every(beat("w", 2, 500), secs(2)));
    assert_eq!(allowance(&world), 500);
    world.workers.start_monitoring(&id("w"), Policy::default()).unwrap();
    assert_eq!(allowance(&world), 500);
    world.pass(millis(2_300));
    world.accept(every(beat("w", 2, 501), secs(2)));
    assert_eq!(allowance(&world), 500, "fixed, it learns nothing");
    world.workers.start_monitoring(&id("w"), adaptive()).unwrap();
    assert_eq!(allowance(&world), 500);
}

#[test]
fn no_gap_is_learnt_from_that_says_nothing_of_the_member() {
    let gap_of = |gap: &dyn Fn(&World) -> WorkerHeartbeat| {
        let world = world();
        beat_on(&world, 0..100);
        let before = allowance(&world);
        let beat = gap(&world);
        world.accept(beat);
        (before, allowance(&world))
    };
    let (before, failed) = gap_of(&|world| {
        world.pass(secs(20));
        tick(120)
    });
    assert_eq!(failed, before, "it had failed");
    let (before, blind) = gap_of(&|world| {
        world.pass(secs(1));
        world.stall(secs(1));
        tick(101)
    });
    assert_eq!(blind, before, "the registry was stopped");
    let (before, slept) = gap_of(&|world| {
        world.pass(secs(2));
        with(tick(102), |info| info.slept_ms = Some(2_000))
    });
    assert_eq!(slept, before, "its machine slept");
    let (before, late) = gap_of(&|world| {
        world.pass(secs(1));
        tick(101)
    });
    assert!(late > before + 700, "but a gap of its own is: {before} {late}");
}

#[test]
fn slots_of_another_pace_than_the_judged_one_are_not_learnt_from() {
    let policy = Policy { interval: Some(secs(5)), ..adaptive() };
    let world = World::with(FleetConfig { policy, ..FleetConfig::default() });
    // It declares a second and obeys five, so that it skips four slots of five.
    for n in 0..300 {
        world.accept(with(tick(n), |info| info.tick = Some(5 * n)));
        world.pass(secs(5));
    }
    let shown = view(&world);
    assert_eq!((shown.suspicion, shown.policy.interval), (None, secs(5)));
    assert!(shown.allowance_ms.unwrap() < 1_250);
}

#[test]
fn suspicion_grows_with_silence_and_is_unknown_of_members_that_are_judged_by_fixed_edges() {
    let world = world();
    beat_on(&world, 0..50);
    let suspicion = || view(&world).suspicion.unwrap();
    world.accept(tick(50));
    assert_eq!(suspicion(), 0.0);
    world.pass(millis(1_100));
    let late = suspicion();
    assert!(late > 1.0, "{late}");
    world.pass(millis(1_900));
    assert!(suspicion() > late);
    let fixed = World::new();
    fixed.accept(plain("w"));
    fixed.pass(secs(2));
    assert_eq!(view(&fixed).suspicion, None);
}

#[test]
fn the_longest_interval_and_the_largest_ticks_overflow_nothing() {
    let policy = Policy { threshold: 100, interval: Some(secs(86_400)), ..adaptive() };
    let world = World::with(FleetConfig { policy, ..FleetConfig::default() });
    let fixed = i64::try_from(100 * 86_400_000_u64 + 5_000).unwrap();
    for (seq, tick) in [0, (1 << 53) - 1, 5, 6, 1 << 50].into_iter().enumerate() {
        let beat = every(beat("w", 1, seq as u64), secs(86_400));
        world.accept(with(beat, |info| info.tick = Some(tick)));
        world.pass(millis(10));
        let edges = view(&world).deadlines.unwrap();
        assert!((fixed - 5_010..=2 * fixed).contains(&edges.failed_in_ms), "{edges:?}");
    }
}

fn age_at_failure(body: &EventBody) -> Option<u64> {
    match body {
        EventBody::Transition { to: HealthState::Failed, age_ms, credited_ms, .. } => Some(age_ms - credited_ms),
        _ => None,
    }
}

/// A beat, and what passes before the next.
#[derive(Clone, Debug)]
struct Arrival {
    tick: Option<u64>,
    slept_ms: Option<u64>,
    pass: u64,
    stall: u64,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let pass = prop_oneof![6 => 800_u64..1_200, 2 => 1_u64..6_000, 1 => 6_000_u64..60_000];
    let stall = prop_oneof![8 => Just(0_u64), 1 => 1_u64..10_000];
    let ticks = prop_oneof![6 => 0_u64..3, 1 => any::<u64>().prop_map(|far| far % (1 << 53))];
    let slept = prop::option::weighted(0.1, 0_u64..10_000);
    (prop::option::weighted(0.8, ticks), slept, pass, stall).prop_map(|(tick, slept_ms, pass, stall)| Arrival {
        tick,
        slept_ms,
        pass,
        stall,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_arrivals_make_it_fail_before_its_threshold_or_after_twice_the_fixed_deadline(
        arrivals in prop::collection::vec(arrival(), 1..60),
        threshold in 2_u32..5,
        interval_ms in prop_oneof![Just(1_000_u64), Just(500)],
    ) {
        let policy = Policy { threshold, ..adaptive() };
        let mut world = World::with(FleetConfig { policy: policy.clone(), ..FleetConfig::default() });
        let fixed = policy.at(millis(interval_ms));
        let least = u64::from(threshold) * interval_ms;
        let most = 2 * fixed.failed_after().as_millis() as u64;
        let mut slot = 0_u64;
        for (seq, arrival) in arrivals.iter().enumerate() {
            slot = arrival.tick.map_or(slot, |step| if step < 3 { slot.saturating_add(step) % (1 << 53) } else { step });
            let beat = every(beat("w", 1, seq as u64), millis(interval_ms));
            world.accept(with(beat, |info| {
                info.tick = arrival.tick.map(|_| slot);
                info.slept_ms = arrival.slept_ms;
            }));
            let edges = view(&world).deadlines.unwrap();
            prop_assert!(edges.failed_in_ms as u64 >= least && edges.failed_in_ms as u64 <= most, "{edges:?}");
            world.pass(millis(arrival.pass));
            world.stall(millis(arrival.stall));
            for event in world.events() {
                if let Some(age) = age_at_failure(&event.body) {
                    prop_assert!(age >= least && age <= most + 2, "{age}");
                }
            }
        }
    }
}
