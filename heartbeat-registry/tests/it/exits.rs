//! Members whose last beat tells how their process ended.

use heartbeat_registry::contract::{
    Cause, EventBody, Exit, HealthState, HealthStatus, HiveHeartbeat, ProcessExit, Rule, WorkerHeartbeat,
};

use crate::town::Town;
use crate::world::{World, beat, feeling, id, millis, secs, with};

fn last(beat: WorkerHeartbeat) -> WorkerHeartbeat {
    with(beat, |info| info.exit = Some(Exit { pid: Some(4711), exit_code: Some(3), signal: None }))
}

#[test]
fn a_last_beat_that_tells_an_exit_is_critical_at_once_and_failed_by_silence_alone() {
    let mut world = World::new();
    world.accept(beat("w", 1, 0));
    // Also one that calls itself unhealthy, for registries that do not know exits.
    world.accept(feeling(last(beat("w", 1, 1)), HealthStatus::Unhealthy));
    let view = world.workers.view(&id("w")).unwrap();
    assert_eq!((view.state, view.cause), (HealthState::Critical, Some(Cause::ProcessDead)));
    assert_eq!(view.evidence, ["its last beat told that process 4711 exited with status 3"]);
    assert_eq!(world.transitions(), ["healthy -> critical"]);
    world.pass(millis(3_250));
    assert_eq!(world.transitions(), [""; 0]);
    world.pass(millis(2));
    let events = world.events();
    let failed = events.iter().find_map(|event| match &event.body {
        EventBody::Transition { to: HealthState::Failed, cause, evidence, .. } => Some((*cause, evidence.join("; "))),
        _ => None,
    });
    let (cause, evidence) = failed.unwrap();
    assert_eq!(cause, Some(Cause::ProcessDead));
    assert!(evidence.contains("exited with status 3"), "{evidence}");
}

#[test]
fn an_exit_explains_itself_and_says_what_comes_next() {
    let world = World::new();
    world.accept(last(beat("w", 1, 0)));
    let told = world.workers.explain(&id("w")).unwrap();
    assert_eq!((told.rule, told.cause), (Rule::Exit, Some(Cause::ProcessDead)));
    let words = told.words.join("\n");
    assert!(
        words.contains("its process is gone; its last beat told that process 4711 exited with status 3"),
        "{words}"
    );
    assert!(words.contains("critical at once, however recent its last beat"), "{words}");
    assert!(words.contains("If no beat comes, it is failed in"), "{words}");
    assert!(words.contains("comes back with the first beat of a newer run"), "{words}");
}

#[test]
fn once_silence_says_as_much_it_is_the_rule_and_the_exit_stays_the_cause() {
    let world = World::new();
    world.accept(last(beat("w", 1, 0)));
    let told = |world: &World| {
        let told = world.workers.explain(&id("w")).unwrap();
        (told.state, told.rule, told.cause)
    };
    world.pass(millis(2_249));
    assert_eq!(told(&world), (HealthState::Critical, Rule::Exit, Some(Cause::ProcessDead)));
    world.pass(millis(2));
    assert_eq!(told(&world), (HealthState::Critical, Rule::Timing, Some(Cause::ProcessDead)));
}

#[test]
fn what_a_last_beat_told_stands_above_the_word_of_its_hive() {
    let mut town = Town::new(1, 1, 1, secs(5));
    town.settle();
    let place = town.places[0];
    town.world.accept(last(town.worker(place, 0)));
    let mut hive = HiveHeartbeat::new(id(&place.hive()));
    hive.exited = vec![ProcessExit::new(id(&place.worker(0)))];
    town.hives.record(hive).unwrap();
    let view = town.world.workers.view(&id(&place.worker(0))).unwrap();
    assert_eq!((view.state, view.cause), (HealthState::Critical, Some(Cause::ProcessDead)));
    assert_eq!(view.evidence, ["its last beat told that process 4711 exited with status 3"]);
}

#[test]
fn the_next_run_is_healthy_at_once() {
    let mut world = World::new();
    world.accept(last(beat("w", 1, 0)));
    world.events();
    world.accept(beat("w", 2, 0));
    assert_eq!(world.state("w"), HealthState::Healthy);
    assert_eq!(world.transitions(), ["critical -> healthy"]);
    assert_eq!(world.workers.view(&id("w")).unwrap().restarts, 1);
    world.pass(secs(3) + millis(251));
    assert_eq!(world.workers.view(&id("w")).unwrap().cause, Some(Cause::Silent));
}

#[test]
fn a_late_beat_of_a_run_that_ended_does_not_revive_it() {
    let world = World::new();
    world.accept(last(beat("w", 1, 5)));
    world.accept(beat("w", 1, 4));
    assert_eq!(world.state("w"), HealthState::Critical);
}

#[test]
fn one_beat_is_no_goodbye_and_an_exit_at_once() {
    let world = World::new();
    world.accept(beat("w", 1, 0));
    let both = with(last(beat("w", 1, 1)), |info| info.leaving = Some("bye".to_owned()));
    let refused = world.record(both).unwrap_err();
    assert!(refused.to_string().contains("/beat/exit") || format!("{refused:?}").contains("/beat/exit"), "{refused:?}");
}
