//! Every state explains itself, and says when it will change.

use heartbeat_registry::contract::{
    Cause, Explanation, FailingSource, HealthState, HealthStatus, HiveHeartbeat, NextStep, Policy, Rule,
};
use heartbeat_registry::{FleetConfig, HiveRegistry};

use crate::world::{World, beat, dawn, feeling, goodbye, id, millis, plain, secs};

fn explain(world: &World, name: &str) -> Explanation {
    world.workers.explain(&id(name)).unwrap()
}

/// What happens next, and in how many milliseconds.
fn next(told: &Explanation) -> Option<(NextStep, u64)> {
    told.next.map(|next| (next.to, next.in_ms))
}

#[test]
fn what_is_said_to_happen_next_happens_then() {
    let world = World::new();
    world.accept(plain("w"));
    world.pass(millis(500));
    let mut expected = [NextStep::Degraded, NextStep::Critical, NextStep::Failed, NextStep::Forgotten].into_iter();
    loop {
        let told = explain(&world, "w");
        let (to, in_ms) = next(&told).unwrap();
        assert_eq!(Some(to), expected.next());
        world.pass(millis(in_ms - 1));
        assert_eq!(explain(&world, "w").state, told.state, "not before");
        world.pass(millis(1));
        if to == NextStep::Forgotten {
            break;
        }
        assert_eq!(world.state("w").as_str(), to.as_str());
        assert_eq!(explain(&world, "w").since, told.next.unwrap().at);
    }
    assert!(world.workers.explain(&id("w")).is_err());
}

#[test]
fn a_late_member_says_why_by_which_rule_and_what_next() {
    let world = World::with(FleetConfig::default());
    world.accept(plain("w"));
    world.pass(secs(71));
    let told = explain(&world, "w");
    assert_eq!((told.state, told.rule, told.cause), (HealthState::Critical, Rule::Timing, Some(Cause::Silent)));
    assert_eq!((told.age_ms, told.credited_ms, next(&told)), (71_000, 0, Some((NextStep::Failed, 24_001))));
    assert_eq!(
        told.words,
        [
            "w is critical since 2026-01-02T03:01:05.000Z: no beat for 71.0 s, expected every 30.0 s.",
            "By the age of its last beat: degraded from 35s of silence, critical from 1m 5s, failed beyond 1m 35s \
             (3 x 30s + 5s), plus any hold, plus 1 ms of processing.",
            "If it stays silent, it is failed in 24.0 s, at 2026-01-02T03:01:35.000Z.",
            "It comes back with its next beat.",
        ]
    );
}

#[test]
fn a_healthy_member_and_one_that_left_explain_themselves_too() {
    let world = World::new();
    world.accept(beat("w", 5, 0));
    world.pass(millis(250));
    let told = explain(&world, "w");
    assert_eq!(
        (told.state, told.rule, next(&told)),
        (HealthState::Healthy, Rule::Timing, Some((NextStep::Degraded, 1_000)))
    );
    assert_eq!(told.words[0], "w is healthy: its last beat came 0.2 s ago.");
    world.accept(goodbye(beat("w", 5, 1)));
    let told = explain(&world, "w");
    assert_eq!((told.state, told.rule, told.deadlines), (HealthState::Left, Rule::Goodbye, None));
    assert_eq!(next(&told), Some((NextStep::Forgotten, 600_000)));
    assert_eq!(told.words[0], "w left at 2026-01-02T03:00:00.250Z: it said goodbye.");
}

#[test]
fn a_self_report_rules_until_silence_is_worse() {
    let world = World::new();
    world.accept(feeling(plain("w"), HealthStatus::Degraded));
    let told = explain(&world, "w");
    assert_eq!(
        (told.state, told.rule, told.cause),
        (HealthState::Degraded, Rule::SelfReport, Some(Cause::SelfReported))
    );
    assert_eq!(next(&told), Some((NextStep::Critical, 2_250)), "degraded by age changes nothing");
    world.pass(millis(1_250));
    let told = explain(&world, "w");
    assert_eq!((told.rule, told.cause), (Rule::Timing, Some(Cause::Silent)), "both say degraded");
    world.pass(millis(1_000));
    assert_eq!(explain(&world, "w").rule, Rule::Timing);
}

#[test]
fn a_hold_says_when_it_ends() {
    let world = World::new();
    let policy = Policy { startup_grace: secs(10), ..Policy::every(secs(1)) };
    world.workers.start_monitoring(&id("w"), policy).unwrap();
    assert_eq!(
        explain(&world, "w").words[0],
        "w is taken to be healthy: it was announced 0.0 s ago, and no beat came yet."
    );
    world.pass(secs(3));
    let told = explain(&world, "w");
    assert_eq!((told.rule, next(&told)), (Rule::Timing, Some((NextStep::Failed, 7_000))), "the hold is foreseen");
    world.pass(secs(2));
    let told = explain(&world, "w");
    assert_eq!((told.state, told.rule, told.cause), (HealthState::Critical, Rule::Hold, Some(Cause::NeverSeen)));
    assert_eq!((next(&told), told.holds.len()), (Some((NextStep::Failed, 5_000)), 1));
    assert_eq!(told.holds[0].until, dawn() + secs(10));
    assert!(
        told.words[1].starts_with("By age it is failed, but held: it never beat, and is given time to start."),
        "{}",
        told.words[1]
    );
}

#[test]
fn a_recovery_that_takes_several_beats_says_so() {
    let policy = Policy { recover_after: 3, ..Policy::every(secs(1)) };
    let world = World::with(FleetConfig { policy, ..FleetConfig::default() });
    world.accept(plain("w"));
    world.pass(secs(2));
    world.accept(plain("w"));
    let told = explain(&world, "w");
    assert_eq!((told.state, told.rule), (HealthState::Degraded, Rule::Recovery));
    assert_eq!(told.words.last().unwrap(), "It comes back with 2 beats in a row in time.", "one has come");
    assert_eq!(told.evidence, ["1 of 3 beats in a row since it was late"]);
    world.accept(plain("w"));
    assert_eq!(explain(&world, "w").words.last().unwrap(), "It comes back with its next beat.");
    // Late again, it is as bad by its age as by what it has to make up for.
    world.pass(millis(1_250));
    let told = explain(&world, "w");
    assert_eq!(
        (told.rule, &told.evidence[..]),
        (Rule::Timing, &["no beat for 1.2 s, expected every 1.0 s".to_owned()][..])
    );
}

#[test]
fn blind_time_is_told_and_not_held_against_anyone() {
    let world = World::new();
    world.accept(plain("w"));
    world.stall(secs(100));
    let told = explain(&world, "w");
    assert_eq!((told.state, told.age_ms), (HealthState::Healthy, 100_000));
    assert!(told.credited_ms > 99_000, "{}", told.credited_ms);
    assert_eq!(told.since, dawn(), "what is credited moves no moment of the past");
    let credited = format!("{:.1} s of its silence", told.credited_ms as f64 / 1000.0);
    assert!(told.words[2].starts_with(&credited), "{:?}", told.words);
}

#[test]
fn at_threshold_2_critical_is_not_mentioned() {
    let world = World::with(FleetConfig { policy: Policy::realtime(), ..FleetConfig::default() });
    world.accept(plain("w"));
    world.pass(millis(1_250));
    let told = explain(&world, "w");
    assert_eq!(next(&told), Some((NextStep::Failed, 1_001)));
    assert!(!told.words[1].contains("critical"), "{}", told.words[1]);
}

#[test]
fn the_way_back_is_the_way_back() {
    let world = World::new();
    let way_back = |name: &str| explain(&world, name).words.last().unwrap().clone();
    world.accept(feeling(plain("unwell"), HealthStatus::Degraded));
    world.accept(plain("gone"));
    world.accept(goodbye(plain("gone")));
    world.accept(beat("ordered", 5, 0));
    world.accept(goodbye(beat("ordered", 5, 1)));
    world.pass(millis(1_500));
    assert_eq!(way_back("unwell"), "It comes back once it beats in time and calls itself healthy.");
    assert_eq!(way_back("gone"), "It comes back with its next beat.");
    assert_eq!(way_back("ordered"), "It comes back with the first beat of a newer run.");
    world.accept(plain("gone"));
    assert_eq!(world.state("gone"), HealthState::Healthy);
}

#[test]
fn what_a_member_is_asked_and_has_not_done_is_told() {
    let world = World::new();
    world.accept(plain("w"));
    world.workers.ask(&id("w"), heartbeat_registry::contract::Directive::Drain).unwrap();
    let last = explain(&world, "w").words.pop().unwrap();
    assert_eq!(last, "It is asked for drain with each ack, and has not obeyed yet.");
}

#[test]
fn a_hive_whose_driver_hangs_says_so_and_since_when() {
    let world = World::new();
    let hives = HiveRegistry::new(&world.fleet);
    let mut hive = HiveHeartbeat::new(id("hive-7"));
    let nvidia = FailingSource { source: "nvidia".to_owned(), age_ms: Some(42_000), error: None };
    hive.failing_sources = vec![nvidia];
    hives.record(hive.clone()).unwrap();
    let told = hives.explain(&id("hive-7")).unwrap();
    assert_eq!(told.state, HealthState::Healthy, "it beats all the same");
    let sentence =
        "Not all of its figures were up to date when it beat last: nvidia hangs; its last figures were 42.0 s old.";
    assert_eq!(told.words.last().unwrap(), sentence);
    hive.failing_sources.clear();
    hives.record(hive).unwrap();
    assert!(hives.explain(&id("hive-7")).unwrap().words.iter().all(|word| !word.contains("nvidia")));
}

#[test]
fn who_is_unwell_is_told_with_the_last_error_it_told_of_in_one_line() {
    let world = World::new();
    let mut worker = feeling(plain("w"), HealthStatus::Unhealthy);
    worker.last_error = Some("exit 3\n  Traceback:\n\nout of memory".to_owned());
    world.accept(worker.clone());
    let sentence = "The last error that it told of: exit 3; Traceback:; out of memory.";
    assert_eq!(explain(&world, "w").words.last().unwrap(), sentence);
    worker.health_status = None;
    world.accept(worker);
    assert!(!explain(&world, "w").words.contains(&sentence.to_owned()), "it is well again");
}
