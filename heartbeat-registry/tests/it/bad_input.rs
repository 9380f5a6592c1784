//! What no proper member sends, and clocks that are not right: nobody fails of it, and it is told why.

use heartbeat_registry::contract::{HealthState, MAX_SAFE_INTEGER, Policy, WorkerHeartbeat};
use heartbeat_registry::{FleetConfig, Outcome, RecordError};
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, beat, dawn, every, goodbye, id, millis, plain, secs};

/// The run of a process that starts at a moment.
fn run_from(start: Timestamp) -> u64 {
    u64::try_from(start.as_microsecond()).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// Beats every second for a while, and is healthy all the time.
#[track_caller]
fn beats_on(world: &mut World, beats: impl Iterator<Item = WorkerHeartbeat>) {
    for beat in beats {
        world.pass(secs(1));
        assert_eq!(world.accept(beat).outcome, Outcome::Fresh);
    }
    let bad: Vec<String> = world.transitions().into_iter().filter(|change| !change.ends_with("-> healthy")).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[track_caller]
fn refused(world: &World, beat: WorkerHeartbeat) -> String {
    let before = world.workers.view(&beat.worker_id).ok();
    let id = beat.worker_id.clone();
    let reason = world.record(beat).unwrap_err().to_string();
    assert_eq!(world.workers.view(&id).ok(), before, "what is refused changes nothing");
    reason
}

#[test]
fn a_seq_at_its_maximum_is_taken_once_and_the_next_run_goes_on() {
    let mut world = World::new();
    world.accept(beat("a", 1, MAX_SAFE_INTEGER));
    for _ in 0..3 {
        world.pass(secs(1));
        assert_eq!(world.accept(beat("a", 1, MAX_SAFE_INTEGER)).outcome, Outcome::Duplicate);
    }
    assert_eq!(world.workers.view(&id("a")).unwrap().seq, Some(MAX_SAFE_INTEGER), "what there is to see of it");
    assert!(matches!(world.record(beat("a", 1, MAX_SAFE_INTEGER + 1)), Err(RecordError::Invalid(_))));
    world.accept(beat("a", 2, 0));
    world.events();
    beats_on(&mut world, (1..10).map(|seq| beat("a", 2, seq)));
}

#[test]
fn a_seq_that_cannot_have_been_reached_is_refused_by_its_name_and_its_member_goes_on() {
    let mut world = World::new();
    world.accept(beat("a", 1, 7));
    let reason = refused(&world, beat("a", 1, MAX_SAFE_INTEGER));
    assert_eq!(reason, "beat.seq: farther ahead than 1000007, which is as far as it can have got");
    beats_on(&mut world, (8..20).map(|seq| beat("a", 1, seq)));
}

#[test]
fn a_run_from_the_future_is_refused_by_its_name_and_the_present_one_goes_on() {
    let mut world = World::new();
    let present = run_from(dawn());
    let future = run_from(dawn() + hours(48));
    world.accept(beat("a", present, 0));
    assert_eq!(
        refused(&world, beat("a", future, 0)),
        format!("beat.incarnation: {future} is more than 24 h ahead of the registry's clock")
    );
    assert!(refused(&world, goodbye(beat("a", future, 1))).contains("ahead of the registry's clock"));
    refused(&world, beat("unknown", MAX_SAFE_INTEGER, 0));
    assert!(world.workers.view(&id("unknown")).is_err(), "nobody is registered by a beat that is refused");
    beats_on(&mut world, (1..10).map(|seq| beat("a", present, seq)));
}

#[test]
fn runs_that_were_taken_go_on_when_the_registrys_clock_steps_back_by_more_than_a_day() {
    let mut world = World::new();
    let (right, ahead) = (run_from(dawn()), run_from(dawn() + hours(23)));
    let both = |seq| [("right", right), ("ahead", ahead)].map(|(name, run)| every(beat(name, run, seq), secs(2)));
    for beat in both(0) {
        world.accept(beat);
    }
    world.events();
    world.clock.set_wall(dawn() - hours(30));
    beats_on(&mut world, (1..10).flat_map(both));
    assert_eq!(world.state("ahead"), HealthState::Healthy);
}

#[test]
fn a_process_started_anew_gets_in_wherever_the_registrys_clock_has_gone() {
    let world = World::new();
    let ahead = run_from(dawn() + hours(23));
    world.accept(beat("a", ahead, 0));
    world.clock.set_wall(dawn() - hours(30));
    let now = run_from(dawn());
    let refused = world.record(beat("a", now, 0));
    assert!(matches!(refused, Err(RecordError::StaleIncarnation { newest, .. }) if newest == ahead));
    world.accept(beat("a", ahead + 1, 0));
    assert_eq!(world.workers.view(&id("a")).unwrap().incarnation, Some(ahead + 1));
    let two_ahead = world.record(beat("a", ahead + 3, 0));
    assert!(matches!(two_ahead, Err(RecordError::Invalid(_))), "any other is still too far ahead");
}

#[test]
fn wall_clocks_a_day_off_or_stepping_back_fail_nobody_and_their_skew_is_shown() {
    let mut world = World::new();
    let run = run_from(dawn());
    world.accept(beat("a", run, 0));
    for (seq, off) in [hours(24), hours(-24), hours(25), -hours(100 * 24), SignedDuration::ZERO].into_iter().enumerate()
    {
        world.pass(secs(1));
        let told = dawn() + off;
        world.accept(WorkerHeartbeat { timestamp: Some(told), ..beat("a", run, seq as u64 + 1) });
        let view = world.workers.view(&id("a")).unwrap();
        assert_eq!(view.skew_ms, Some((off - SignedDuration::from_secs(seq as i64 + 1)).as_millis() as i64));
    }
    for (step, off) in [24, -24, -48, 96].into_iter().enumerate() {
        world.clock.set_wall(dawn() + hours(off));
        beats_on(&mut world, (1..5).map(|seq| beat("a", run, 10 * (step as u64 + 1) + seq)));
    }
    assert!(world.workers.view(&id("a")).unwrap().age_ms < 1_000, "ages go by no wall clock");
}

#[test]
fn an_interval_that_becomes_longer_in_flight_fails_nobody_who_keeps_to_it() {
    let mut world = World::with(FleetConfig::default());
    world.accept(every(beat("a", 1, 0), secs(1)));
    world.pass(secs(1));
    world.accept(every(beat("a", 1, 1), secs(60)));
    world.pass(secs(60));
    world.accept(every(beat("a", 1, 2), secs(60)));
    assert!(world.transitions().is_empty());
}

#[test]
fn an_interval_that_becomes_shorter_in_flight_judges_only_once_the_member_has_heard_that_it_counts() {
    let mut world = World::with(FleetConfig::default());
    world.accept(every(beat("a", 1, 0), secs(60)));
    world.pass(secs(10));
    world.accept(every(beat("a", 1, 1), secs(1)));
    assert_eq!(world.workers.view(&id("a")).unwrap().policy.interval, secs(60));
    // A late copy of a beat that told the longer one is no step back.
    assert_eq!(world.accept(every(beat("a", 1, 0), secs(60))).outcome, Outcome::Duplicate);
    for seq in 2..5 {
        world.pass(secs(1));
        world.accept(every(beat("a", 1, seq), secs(1)));
    }
    assert_eq!(world.workers.view(&id("a")).unwrap().policy.interval, secs(1));
    assert!(world.transitions().is_empty());
}

#[test]
fn one_id_on_two_hosts_stays_one_member_and_the_older_run_is_told_of_the_newer() {
    let mut world = World::new();
    world.accept(beat("a", 100, 0));
    world.accept(beat("a", 200, 0));
    world.events();
    for seq in 1..10 {
        world.pass(secs(1));
        let older = world.record(beat("a", 100, seq));
        assert!(matches!(older, Err(RecordError::StaleIncarnation { newest: 200, .. })), "{older:?}");
        world.accept(beat("a", 200, seq));
    }
    assert!(world.transitions().is_empty(), "the newer one is healthy throughout");
    let reason = refused(&world, beat("a", 100, 20));
    assert_eq!(reason, "a: a newer run, 200, has been heard or this one said goodbye");
    let without_order = refused(&world, plain("a"));
    assert_eq!(without_order, reason);
}

#[cfg(feature = "verify")]
#[tokio::test]
async fn an_endpoint_in_a_network_that_is_not_allowed_is_shown_and_never_probed() {
    use heartbeat_registry::contract::Kind;
    use heartbeat_registry::verify::{Verifier, VerifyConfig, VerifyError};

    let mut world = World::new();
    let verifier = Verifier::new(&world.fleet, VerifyConfig::default()).unwrap();
    let told = "http://169.254.169.254/latest";
    let with_endpoint = |seq| crate::world::with(beat("a", 1, seq), |info| info.endpoint = Some(told.to_owned()));
    world.accept(with_endpoint(0));
    world.events();
    let refused = verifier.verify(&Kind::WORKER, &id("a")).await.unwrap_err();
    assert!(matches!(refused, VerifyError::NotAllowed { .. }), "{refused:?}");
    assert!(refused.to_string().contains("169.254.169.254"), "{refused}");
    assert_eq!(world.workers.view(&id("a")).unwrap().endpoint.as_deref(), Some(told));
    beats_on(&mut world, (1..5).map(with_endpoint));
}

#[test]
fn an_announced_member_is_judged_by_the_interval_of_its_first_beat_from_that_beat_on() {
    let world = World::with(FleetConfig::default());
    world.workers.start_monitoring(&id("a"), Policy::default()).unwrap();
    world.pass(secs(10));
    world.accept(every(beat("a", 1, 0), secs(1)));
    assert_eq!(world.workers.view(&id("a")).unwrap().policy.interval, secs(1));
    world.pass(millis(3_251));
    assert_eq!(world.state("a"), HealthState::Failed);
}
