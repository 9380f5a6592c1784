//! Alive is not working: stuck members, and those whose runtime lags.

use heartbeat_registry::FleetConfig;
use heartbeat_registry::contract::{
    Cause, EventBody, Flag, HealthState, HealthStatus, MemberView, Policy, Progress, Rule, WorkerHeartbeat,
};

use crate::world::{World, beat, every, feeling, id, millis, plain, secs, with};

fn works(beat: WorkerHeartbeat, busy: bool, done: u64, age_ms: u64) -> WorkerHeartbeat {
    with(beat, |info| info.progress = Some(Progress { busy, done, age_ms }))
}

fn view(world: &World) -> MemberView {
    world.workers.view(&id("w")).unwrap()
}

/// A beat each second.
fn beat_on(world: &World, seconds: u64, beat: impl Fn() -> WorkerHeartbeat) {
    for _ in 0..seconds {
        world.pass(secs(1));
        world.accept(beat());
    }
}

#[test]
fn a_busy_member_without_progress_for_stuck_after_is_critical_however_punctual_its_beats() {
    let mut world = World::new();
    let frozen = || works(plain("w"), true, 7, 0);
    world.accept(frozen());
    beat_on(&world, 59, frozen);
    assert_eq!(world.state("w"), HealthState::Healthy);
    world.events();
    beat_on(&world, 1, frozen);
    let EventBody::Transition { to, cause, evidence, .. } = &world.events()[0].body else { panic!() };
    assert_eq!((*to, *cause), (HealthState::Critical, Some(Cause::Stuck)));
    assert_eq!(evidence[..], ["busy without progress for 60.0 s, with 7 done"]);
    let told = world.workers.explain(&id("w")).unwrap();
    assert_eq!((told.rule, told.cause), (Rule::Stuck, Some(Cause::Stuck)));
    assert!(told.words[1].starts_with("A member that is busy for 1m without progress is critical"), "{:?}", told.words);
    assert_eq!(told.words.last().unwrap(), "It comes back with the first beat that shows progress, or no work.");
    world.pass(secs(1));
    world.accept(works(plain("w"), true, 8, 0));
    assert_eq!(world.transitions(), ["critical -> healthy"], "it advances");
}

#[test]
fn what_a_member_says_of_its_progress_counts_also_before_the_registry_saw_as_much() {
    let world = World::new();
    world.accept(works(plain("w"), true, 7, 59_999));
    assert_eq!(world.state("w"), HealthState::Healthy);
    world.accept(works(plain("w"), true, 7, 60_000));
    assert_eq!(world.state("w"), HealthState::Critical);
    world.accept(works(plain("w"), false, 7, 60_000));
    assert_eq!(world.state("w"), HealthState::Healthy, "nothing to do is not stuck");
}

#[test]
fn a_member_that_reports_no_progress_is_never_stuck() {
    let world = World::new();
    world.accept(plain("w"));
    beat_on(&world, 100, || plain("w"));
    assert_eq!(world.state("w"), HealthState::Healthy);
    beat_on(&world, 100, || works(plain("w"), true, 7, 0));
    assert_eq!(world.state("w"), HealthState::Critical);
    world.accept(plain("w"));
    assert_eq!(world.state("w"), HealthState::Healthy, "it no longer reports any");
}

#[test]
fn a_policy_says_for_how_long_a_member_may_be_busy_without_progress() {
    let policy = Policy { stuck_after: Some(secs(3)), ..Policy::every(secs(1)) };
    let world = World::with(FleetConfig { policy, ..FleetConfig::default() });
    world.accept(works(plain("w"), true, 7, 0));
    beat_on(&world, 2, || works(plain("w"), true, 7, 0));
    assert_eq!(world.state("w"), HealthState::Healthy);
    beat_on(&world, 1, || works(plain("w"), true, 7, 0));
    assert_eq!(world.state("w"), HealthState::Critical);
}

#[test]
fn time_in_which_the_registry_could_not_listen_makes_nobody_stuck() {
    let world = World::new();
    world.accept(works(plain("w"), true, 7, 0));
    world.stall(secs(600));
    world.accept(works(plain("w"), true, 7, 0));
    assert_eq!(world.state("w"), HealthState::Healthy);
}

#[test]
fn a_newer_run_is_not_stuck_for_what_the_run_before_it_did() {
    let mut world = World::new();
    for seq in 0..=60 {
        world.accept(works(beat("w", 1, seq), true, 0, 0));
        world.pass(secs(1));
    }
    world.accept(works(beat("w", 2, 0), true, 0, 0));
    assert_eq!(world.transitions(), ["healthy -> critical", "critical -> healthy"]);
}

#[test]
fn silence_and_a_worse_report_rule_over_stuck() {
    let world = World::new();
    world.accept(works(feeling(plain("w"), HealthStatus::Degraded), true, 7, 60_000));
    let rule = || world.workers.explain(&id("w")).unwrap().rule;
    assert_eq!(rule(), Rule::Stuck);
    world.accept(works(feeling(plain("w"), HealthStatus::Unhealthy), true, 7, 60_000));
    assert_eq!(rule(), Rule::SelfReport);
    world.accept(works(plain("w"), true, 7, 60_000));
    world.pass(secs(4));
    assert_eq!((world.state("w"), view(&world).cause), (HealthState::Failed, Some(Cause::Silent)));
}

#[test]
fn a_runtime_that_lags_by_over_half_an_interval_on_three_beats_in_a_row_is_overloaded() {
    let world = World::new();
    let lags = |ms: u64| {
        world.accept(with(every(plain("w"), secs(1)), |info| info.runtime_lag_ms = Some(ms)));
        world.pass(millis(500));
        view(&world).flags
    };
    assert_eq!([lags(501), lags(501), lags(500), lags(501), lags(501)].concat(), []);
    assert_eq!(lags(800), [Flag::Overloaded]);
    let shown = view(&world);
    assert_eq!((shown.state, shown.runtime_lag_ms), (HealthState::Healthy, Some(800)));
    let told = world.workers.explain(&id("w")).unwrap();
    assert_eq!(told.flags, [Flag::Overloaded]);
    assert!(told.words.last().unwrap().contains("its runtime lags by 0.8 s"), "{:?}", told.words);
    assert_eq!(lags(0), []);
    assert_eq!([lags(900), lags(900)].concat(), []);
    world.accept(plain("w"));
    assert_eq!(lags(900), [], "a beat that tells none was below, too");
}
