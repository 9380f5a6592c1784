//! What members are asked, and what becomes of that.

use heartbeat_registry::DirectiveError;
use heartbeat_registry::contract::{
    Directive, DirectiveOutcome, EventBody, HealthState, WorkerHeartbeat, WorkerStatus,
};

use crate::world::{World, beat, dawn, every, goodbye, id, millis, plain, secs};
use Directive::{Drain, Shutdown};

fn draining(beat: WorkerHeartbeat) -> WorkerHeartbeat {
    WorkerHeartbeat { status: Some(WorkerStatus::Draining), ..beat }
}

/// What became of directives since the last call.
fn told(world: &mut World) -> Vec<(Directive, DirectiveOutcome, Option<u64>)> {
    let directive = |event: heartbeat_registry::contract::Event| match event.body {
        EventBody::Directive { directive, outcome } => Some((directive, outcome, event.incarnation)),
        _ => None,
    };
    world.events().into_iter().filter_map(directive).collect()
}

/// A member that beats every minute, so that no silence comes between.
fn slow(seq: u64) -> WorkerHeartbeat {
    every(beat("w", 5, seq), secs(60))
}

#[test]
fn each_ack_repeats_a_directive_until_the_member_obeys() {
    let mut world = World::new();
    assert_eq!(world.accept(beat("w", 5, 0)).directives, []);
    let asked = world.workers.ask(&id("w"), Drain).unwrap();
    assert_eq!((asked.directive, asked.incarnation, asked.until), (Drain, Some(5), dawn() + secs(600)));
    assert_eq!(world.workers.view(&id("w")).unwrap().directives, [Drain]);
    assert_eq!(world.accept(beat("w", 5, 1)).directives, [Drain]);
    assert_eq!(world.accept(beat("w", 5, 1)).directives, [Drain], "a retry is told as well");
    assert_eq!(world.accept(beat("w", 5, 2)).directives, [Drain]);

    assert_eq!(world.accept(draining(beat("w", 5, 3))).directives, []);
    assert_eq!(world.accept(draining(beat("w", 5, 4))).directives, []);
    assert_eq!(world.workers.view(&id("w")).unwrap().directives, []);
    let expected = [(Drain, DirectiveOutcome::Asked, Some(5)), (Drain, DirectiveOutcome::Obeyed, Some(5))];
    assert_eq!(told(&mut world), expected);
}

#[test]
fn a_goodbye_obeys_shutdown_and_voids_drain() {
    let mut world = World::new();
    world.accept(beat("w", 5, 0));
    world.workers.ask(&id("w"), Shutdown).unwrap();
    world.workers.ask(&id("w"), Drain).unwrap();
    assert_eq!(world.accept(beat("w", 5, 1)).directives, [Drain, Shutdown]);
    world.events();
    assert_eq!(world.accept(goodbye(beat("w", 5, 2))).directives, []);
    let events: Vec<EventBody> = world.events().into_iter().map(|event| event.body).collect();
    let obeyed = EventBody::Directive { directive: Shutdown, outcome: DirectiveOutcome::Obeyed };
    let void = EventBody::Directive { directive: Drain, outcome: DirectiveOutcome::Void };
    assert_eq!((&events[0], &events[2]), (&obeyed, &void));
    assert!(matches!(events[1], EventBody::Transition { to: HealthState::Left, .. }));
}

#[test]
fn a_directive_is_bound_to_the_run_it_was_asked_of() {
    let mut world = World::new();
    world.accept(beat("w", 5, 0));
    world.workers.ask(&id("w"), Drain).unwrap();
    world.events();
    assert_eq!(world.accept(beat("w", 6, 0)).directives, []);
    assert_eq!(told(&mut world), [(Drain, DirectiveOutcome::Void, Some(5))]);
}

#[test]
fn a_directive_is_void_once_its_member_failed() {
    let mut world = World::new();
    world.accept(beat("w", 5, 0));
    world.workers.ask(&id("w"), Drain).unwrap();
    world.pass(secs(4));
    assert_eq!(world.state("w"), HealthState::Failed);
    assert_eq!(told(&mut world)[1], (Drain, DirectiveOutcome::Void, Some(5)));
    assert_eq!(world.accept(beat("w", 5, 1)).directives, []);
}

#[test]
fn a_directive_lapses_after_ten_minutes_to_the_millisecond() {
    let mut world = World::new();
    world.accept(slow(0));
    world.workers.ask(&id("w"), Drain).unwrap();
    for seq in 1..10 {
        world.pass(secs(60));
        assert_eq!(world.accept(slow(seq)).directives, [Drain]);
    }
    world.events();
    world.pass(millis(59_999));
    assert_eq!(told(&mut world), []);
    assert_eq!(world.workers.view(&id("w")).unwrap().directives, [Drain]);
    world.clock.advance(millis(1));
    assert_eq!(world.workers.view(&id("w")).unwrap().directives, [], "also before a sweep has seen it");
    world.pass(millis(0));
    assert_eq!(told(&mut world), [(Drain, DirectiveOutcome::Void, Some(5))]);
    assert_eq!(world.accept(slow(10)).directives, []);
}

#[test]
fn asked_again_it_has_ten_minutes_more_and_is_told_once() {
    let mut world = World::new();
    world.accept(slow(0));
    world.workers.ask(&id("w"), Drain).unwrap();
    for seq in 1..15 {
        world.pass(secs(60));
        world.accept(slow(seq));
        if seq == 8 {
            world.workers.ask(&id("w"), Drain).unwrap();
        }
    }
    assert_eq!(told(&mut world), [(Drain, DirectiveOutcome::Asked, Some(5))]);
}

#[test]
fn what_is_withdrawn_is_no_longer_asked() {
    let mut world = World::new();
    world.accept(plain("w"));
    world.workers.ask(&id("w"), Shutdown).unwrap();
    assert_eq!(world.workers.withdraw(&id("w"), Drain), Ok(false));
    assert_eq!(world.workers.withdraw(&id("w"), Shutdown), Ok(true));
    assert_eq!(world.workers.withdraw(&id("w"), Shutdown), Ok(false));
    assert_eq!(world.accept(plain("w")).directives, []);
    let expected = [(Shutdown, DirectiveOutcome::Asked, None), (Shutdown, DirectiveOutcome::Withdrawn, None)];
    assert_eq!(told(&mut world), expected);
}

#[test]
fn a_member_that_would_not_hear_is_not_asked() {
    let world = World::new();
    let ask = |name: &str| world.workers.ask(&id(name), Drain).unwrap_err();
    assert!(matches!(ask("ghost"), DirectiveError::Unknown(_)));
    world.accept(beat("left", 5, 0));
    world.accept(goodbye(beat("left", 5, 1)));
    assert_eq!(ask("left").to_string(), "left has left: nobody would hear of a directive");
    world.accept(beat("dead", 5, 0));
    world.pass(secs(4));
    assert!(matches!(ask("dead"), DirectiveError::NotOnline { state: HealthState::Failed, .. }));
    assert!(matches!(
        world.workers.ask(&id("left"), Directive::Unknown).unwrap_err(),
        DirectiveError::NoDirective(Directive::Unknown)
    ));
}

#[test]
fn a_member_that_never_beat_hears_with_its_first_ack() {
    let world = World::new();
    world.workers.start_monitoring(&id("w"), heartbeat_registry::contract::Policy::default()).unwrap();
    world.workers.ask(&id("w"), Drain).unwrap();
    assert_eq!(world.accept(beat("w", 5, 0)).directives, [Drain]);
}

#[test]
fn what_was_asked_of_a_member_without_order_is_not_asked_of_an_ordered_run() {
    let mut world = World::new();
    world.accept(plain("w"));
    world.workers.ask(&id("w"), Drain).unwrap();
    assert_eq!(world.accept(beat("w", 5, 0)).directives, []);
    assert_eq!(told(&mut world)[1].1, DirectiveOutcome::Void);
}

#[test]
fn a_directive_lapses_in_time_also_where_nothing_else_is_due() {
    let mut world = World::new();
    world.accept(every(beat("w", 5, 0), secs(3_600)));
    world.workers.ask(&id("w"), Shutdown).unwrap();
    world.events();
    world.pass(secs(599));
    assert_eq!(told(&mut world), []);
    world.pass(secs(1));
    assert_eq!(told(&mut world), [(Shutdown, DirectiveOutcome::Void, Some(5))]);
}
