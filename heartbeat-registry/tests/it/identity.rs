//! Which run beats, from where, how many of its beats are lost, and what its clocks say.

use heartbeat_registry::contract::{Event, EventBody, Flag, MemberView, WorkerHeartbeat};

use crate::world::{World, beat, dawn, id, millis, plain, secs, with};

/// Runs are numbered by the microsecond of their start: this one began so many seconds after dawn.
fn run(seconds: u64) -> u64 {
    u64::try_from(dawn().as_microsecond()).unwrap() + seconds * 1_000_000
}

fn made_at(mut beat: WorkerHeartbeat, seconds: u64) -> WorkerHeartbeat {
    beat.timestamp = Some(dawn() + secs(seconds));
    beat
}

fn view(world: &World) -> MemberView {
    world.workers.view(&id("w")).unwrap()
}

fn words(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.body.type_word()).collect()
}

#[test]
fn two_live_runs_of_one_id_are_told_once_and_shown_for_as_long_as_both_beat() {
    let mut world = World::new();
    world.accept(made_at(beat("w", run(0), 0), 0));
    world.accept(made_at(beat("w", run(5), 0), 5));
    world.events();
    world.record(made_at(beat("w", run(0), 1), 6)).unwrap_err();
    let events = world.events();
    assert!(
        matches!(&events[1].body, EventBody::DuplicateIdentity { addresses } if addresses[..] == ["local", "local"]),
        "{events:?}"
    );
    assert_eq!(words(&events), ["superseded", "duplicate_identity"]);
    world.pass(secs(8));
    world.record(made_at(beat("w", run(0), 2), 14)).unwrap_err();
    assert_eq!(words(&world.events()).iter().filter(|word| **word != "transition").count(), 0, "once per pair of runs");
    world.pass(millis(9_999));
    let shown = view(&world);
    assert_eq!(
        (&shown.flags[..], &shown.rivals[..]),
        (&[Flag::DuplicateIdentity][..], &["local".to_owned(), "local".to_owned()][..])
    );
    let told = world.workers.explain(&id("w")).unwrap().words;
    assert!(told.last().unwrap().starts_with("Two live runs use its id: the older beats from local"), "{told:?}");
    world.pass(millis(1));
    assert_eq!((view(&world).flags, view(&world).rivals), (vec![], vec![]), "10 intervals without another such beat");
}

#[test]
fn a_straggler_of_a_dead_run_is_no_second_live_one() {
    let mut world = World::new();
    world.accept(made_at(beat("w", run(0), 0), 0));
    world.accept(made_at(beat("w", run(5), 0), 5));
    world.events();
    world.record(made_at(beat("w", run(0), 1), 4)).unwrap_err();
    world.record(made_at(beat("w", run(0), 2), 5)).unwrap_err();
    assert_eq!(words(&world.events()), ["superseded"]);
    assert_eq!(view(&world).flags, []);
    world.record(made_at(crate::world::goodbye(beat("w", run(0), 3)), 7)).unwrap_err();
    assert_eq!(words(&world.events()), [""; 0], "it says that it ends");
    world.record(beat("w", run(0), 2)).unwrap_err();
    assert_eq!(words(&world.events()), ["duplicate_identity"], "one without a time is not known to be a straggler");
    world.accept(beat("w", run(9), 0));
    world.record(beat("w", run(0), 4)).unwrap_err();
    assert_eq!(words(&world.events()), ["restarted"], "of the run before the last one nothing more is told");
    world.record(beat("w", run(5), 4)).unwrap_err();
    assert_eq!(words(&world.events()), ["superseded", "duplicate_identity"], "another pair");
}

#[test]
fn beats_that_come_twice_or_out_of_order_are_no_loss() {
    let world = World::new();
    for seq in [0, 1, 3, 2, 2, 4, 1] {
        world.accept(beat("w", 1, seq));
    }
    assert_eq!((view(&world).loss_rate, view(&world).recent_loss_rate), (Some(0.0), Some(0.0)));
    for seq in 100..200 {
        world.accept(beat("w", 1, seq));
    }
    let shown = view(&world);
    assert_eq!((shown.loss_rate, shown.recent_loss_rate), (Some(1.0 - 105.0 / 200.0), Some(0.0)));
    world.accept(beat("w", 2, 7));
    assert_eq!(view(&world).loss_rate, Some(0.0), "each run counts for itself");
}

#[test]
fn a_machine_that_slept_is_shown_and_told_when_its_member_recovers() {
    let mut world = World::new();
    world.accept(beat("w", 1, 0));
    world.pass(secs(40));
    world.events();
    world.accept(with(beat("w", 1, 1), |info| info.slept_ms = Some(40_000)));
    let EventBody::Transition { cause, evidence, .. } = &world.events()[0].body else { panic!() };
    assert_eq!((cause, &evidence[..]), (&None, &["its machine slept for 40.0 s".to_owned()][..]));
    assert_eq!(view(&world).slept_ms, Some(40_000));
    world.accept(with(beat("w", 1, 2), |info| info.slept_ms = Some(0)));
    assert_eq!(view(&world).slept_ms, None, "by the newest beat");
    world.pass(secs(2));
    world.events();
    world.accept(with(beat("w", 1, 3), |info| info.slept_ms = Some(0)));
    let EventBody::Transition { evidence, .. } = &world.events()[0].body else { panic!() };
    assert_eq!(evidence, &[""; 0], "it did not sleep");
}

#[test]
fn a_clock_that_is_notably_off_is_told() {
    let world = World::new();
    world.accept(made_at(plain("w"), 5));
    let words = || world.workers.explain(&id("w")).unwrap().words;
    assert!(!words().iter().any(|sentence| sentence.contains("clock is")), "{:?}", words());
    world.accept(made_at(plain("w"), 3_600));
    assert_eq!(words().last().unwrap(), "Its clock is 3600.0 s ahead of the registry's, which is not held against it.");
}
