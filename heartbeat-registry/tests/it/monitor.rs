//! What a monitor of agents is asked for: each call and each figure, by arithmetic.

use std::time::Duration;

use heartbeat_registry::contract::{
    HealthState, HealthStatus, HiveHeartbeat, Metadata, Policy, WorkerHeartbeat, WorkerStatus,
};
use heartbeat_registry::{FleetConfig, HiveRegistry, Outcome, WorkerRegistry};
use serde_json::json;

use crate::world::{World, dawn, feeling, goodbye, id, millis, plain, secs};

fn judging_by(policy: Policy) -> World {
    World::with(FleetConfig { policy, ..FleetConfig::default() })
}

/// Without allowance: the table of states at bare multiples of the interval.
fn bare(mut policy: Policy) -> Policy {
    policy.allowance = Some(Duration::ZERO);
    policy
}

/// The first age, in whole milliseconds, at which a silent member is in each state it comes to.
fn first_ages(policy: Policy) -> Vec<(HealthState, u64)> {
    let world = judging_by(policy);
    world.accept(plain("a"));
    let mut found = vec![(HealthState::Healthy, 0)];
    for age in 1.. {
        world.pass(millis(1));
        let state = world.state("a");
        if found.last().is_none_or(|(last, _)| *last != state) {
            found.push((state, age));
        }
        if state == HealthState::Failed {
            break;
        }
    }
    found
}

#[test]
fn without_allowance_states_change_at_one_and_two_intervals_and_beyond_the_threshold_to_the_millisecond() {
    use HealthState::{Critical, Degraded, Failed, Healthy};
    let agents = bare(Policy::standard());
    assert_eq!(first_ages(agents), [(Healthy, 0), (Degraded, 5_000), (Critical, 10_000), (Failed, 15_001)]);
    let goroutine = bare(Policy::every(secs(1)));
    assert_eq!(first_ages(goroutine), [(Healthy, 0), (Degraded, 1_000), (Critical, 2_000), (Failed, 3_001)]);
    let realtime = bare(Policy::realtime());
    assert_eq!(first_ages(realtime), [(Healthy, 0), (Degraded, 1_000), (Failed, 2_001)]);
    let batch = bare(Policy::batch());
    assert_eq!(first_ages(batch), [(Healthy, 0), (Degraded, 30_000), (Critical, 60_000), (Failed, 150_001)]);
    let worker = bare(Policy::default());
    assert_eq!(first_ages(worker), [(Healthy, 0), (Degraded, 30_000), (Critical, 60_000), (Failed, 90_001)]);
}

#[test]
fn each_edge_comes_later_by_the_allowance_to_the_millisecond() {
    use HealthState::{Critical, Degraded, Failed, Healthy};
    for (policy, degraded, critical, failed) in [
        (Policy::standard(), 6_250, 11_250, 16_251),
        (Policy::batch(), 35_000, 65_000, 155_001),
        (Policy::default(), 35_000, 65_000, 95_001),
    ] {
        let expected = [(Healthy, 0), (Degraded, degraded), (Critical, critical), (Failed, failed)];
        assert_eq!(first_ages(policy), expected);
    }
    assert_eq!(first_ages(Policy::realtime()), [(Healthy, 0), (Degraded, 1_250), (Failed, 2_251)]);
}

#[test]
fn each_member_is_judged_by_the_policy_its_monitoring_was_started_with() {
    let world = World::new();
    world.workers.start_monitoring(&id("realtime"), Policy::realtime()).unwrap();
    world.workers.start_monitoring(&id("batch"), Policy::batch()).unwrap();
    world.accept(plain("realtime"));
    world.accept(plain("batch"));
    world.pass(millis(2_251));
    assert_eq!((world.state("realtime"), world.state("batch")), (HealthState::Failed, HealthState::Healthy));
    let judged = |name: &str| world.workers.view(&id(name)).unwrap().policy;
    assert_eq!((judged("realtime").interval, judged("realtime").threshold), (secs(1), 2));
    assert_eq!((judged("batch").interval, judged("batch").threshold), (secs(30), 5));
}

#[test]
fn a_false_alarm_is_cured_by_a_longer_interval_or_a_higher_threshold_without_a_new_start() {
    let world = judging_by(bare(Policy::standard()));
    world.accept(plain("a"));
    world.pass(secs(12));
    assert_eq!(world.state("a"), HealthState::Critical);
    let patient = Policy { threshold: 5, ..bare(Policy::every(secs(10))) };
    world.workers.start_monitoring(&id("a"), patient).unwrap();
    assert_eq!(world.state("a"), HealthState::Degraded, "12 s are more than one of 10 s");
    world.pass(secs(38));
    assert_eq!(world.state("a"), HealthState::Critical);
    world.pass(millis(1));
    assert_eq!(world.state("a"), HealthState::Failed);
}

#[test]
fn a_member_whose_monitoring_was_stopped_is_unknown_until_it_beats_again() {
    let world = World::new();
    world.accept(plain("a"));
    assert!(world.workers.stop_monitoring(&id("a")));
    assert!(!world.workers.stop_monitoring(&id("a")), "it is not known any more");
    assert_eq!(world.workers.health(&id("a")).unwrap_err().to_string(), "no worker \"a\" is known");
    world.pass(secs(60));
    assert_eq!(world.accept(plain("a")).outcome, Outcome::Registered);
    assert_eq!(world.state("a"), HealthState::Healthy);
}

#[test]
fn a_beat_with_metadata_is_kept_with_its_time_among_the_last_100() {
    let world = World::new();
    for beat in 0..150 {
        let metadata = Metadata::new(&json!({ "cpu": 45.2, "task": beat })).unwrap();
        let status = Some(WorkerStatus::Busy);
        world.accept(WorkerHeartbeat { metadata: Some(metadata), status, ..plain("a") });
        world.pass(millis(10));
    }
    let history = world.workers.history(&id("a"));
    assert_eq!(history.len(), 100);
    let (oldest, newest) = (&history[0], &history[99]);
    assert_eq!((oldest.at, newest.at), (dawn() + millis(500), dawn() + millis(1_490)));
    assert_eq!(newest.metadata.as_ref().unwrap().as_json(), r#"{"cpu":45.2,"task":149}"#);
    assert_eq!(newest.status.as_deref(), Some("busy"));
    assert!(world.workers.history(&id("nobody")).is_empty());
}

#[test]
fn a_policy_may_keep_fewer_beats() {
    let world = judging_by(Policy { history: 50, ..Policy::standard() });
    for _ in 0..60 {
        world.accept(plain("a"));
    }
    assert_eq!(world.workers.history(&id("a")).len(), 50);
}

/// 1 failed member, 2 critical, 3 degraded, 4 healthy ones and 5 that left, named for their state and numbered.
fn some_in_each_state() -> World {
    let world = judging_by(bare(Policy::standard()));
    for (state, members, then) in
        [("failed", 1, 5), ("critical", 2, 5), ("degraded", 3, 6), ("healthy", 4, 0), ("left", 5, 0)]
    {
        for n in 1..=members {
            world.accept(plain(&format!("{state}-{n}")));
        }
        world.pass(secs(then));
    }
    for n in 1..=5 {
        world.accept(goodbye(plain(&format!("left-{n}"))));
    }
    world
}

#[test]
fn unhealthy_lists_a_state_and_all_worse_ones() {
    let world = some_in_each_state();
    let unhealthy = |min| {
        let mut ids: Vec<_> = world.workers.unhealthy(min).iter().map(ToString::to_string).collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(unhealthy(HealthState::Failed), "failed-1");
    assert_eq!(unhealthy(HealthState::Critical), "critical-1 critical-2 failed-1");
    assert_eq!(unhealthy(HealthState::Degraded), "critical-1 critical-2 degraded-1 degraded-2 degraded-3 failed-1");
}

#[test]
fn stats_count_members_by_state_and_beats() {
    let world = some_in_each_state();
    let stats = world.workers.stats();
    assert_eq!((stats.healthy, stats.degraded, stats.critical, stats.failed, stats.left), (4, 3, 2, 1, 5));
    assert_eq!((stats.total, world.fleet.stats().members), (15, stats), "there are no members of other kinds");
    assert_eq!(world.fleet.stats().beats.fresh, 20);
    assert!(!world.fleet.stats().driver.alive, "this world has no driver, and says so");
}

#[test]
fn a_transition_tells_the_state_before_how_long_it_was_silent_and_when() {
    let world = judging_by(bare(Policy::standard()));
    let mut transitions = world.workers.subscribe();
    world.accept(plain("a"));
    world.pass(secs(16));
    let mut told = Vec::new();
    while let Some(change) = transitions.try_next().unwrap() {
        assert_eq!(change.member, id("a"));
        let last_heard = change.at - change.age;
        assert!(last_heard.duration_since(dawn()).unsigned_abs() < millis(1), "ages are told in milliseconds");
        told.push((change.from, change.to, change.age));
    }
    use HealthState::{Critical, Degraded, Failed, Healthy};
    let expected = [(Healthy, Degraded, secs(5)), (Degraded, Critical, secs(10)), (Critical, Failed, secs(15))];
    assert_eq!(told, expected);
}

#[test]
fn nobody_waits_for_a_fixed_check_but_the_driver_looks_up_every_quarter_of_a_second() {
    let world = judging_by(bare(Policy::standard()));
    assert_eq!(world.fleet.next_wake(), None, "with nobody to judge");
    world.accept(plain("a"));
    assert_eq!(world.fleet.next_wake(), Some(millis(250)));
    world.pass(millis(4_999));
    let wake = world.fleet.next_wake().unwrap();
    assert!(wake <= secs(5), "{wake:?}: the deadline itself, not some check after it");
}

#[test]
fn hives_are_tracked_as_workers_are_and_cleaned_up_once_older_than_90_s() {
    let world = judging_by(Policy::default());
    let hives = HiveRegistry::new(&world.fleet);
    let beat =
        |name: &str| HiveHeartbeat { health_status: Some(HealthStatus::Healthy), ..HiveHeartbeat::new(id(name)) };
    hives.record(beat("silent")).unwrap();
    world.pass(secs(90));
    hives.record(beat("heard")).unwrap();
    assert!(hives.cleanup_stale(secs(90)).is_empty(), "older than 90 s, not as old");
    assert_eq!(hives.online().len(), 2, "90 s are three intervals, but not yet the allowance");
    world.pass(millis(1));
    assert_eq!(hives.cleanup_stale(secs(90)), [id("silent")]);
    assert_eq!(hives.online(), [id("heard")]);
    let view = hives.view(&id("heard")).unwrap();
    assert_eq!((view.last_seen, view.self_report), (Some(dawn() + secs(90)), Some(HealthStatus::Healthy)));
    assert_eq!(world.workers.stats().total, 0, "kinds are told apart");
}

#[test]
fn a_worker_silent_for_45_s_is_stale_before_it_is_failed() {
    let world = judging_by(Policy::default());
    for (name, then) in [("worker-789", 35), ("worker-123", 5), ("worker-456", 5)] {
        world.accept(plain(name));
        world.pass(secs(then));
    }
    assert_eq!(world.workers.stale(secs(30)), [id("worker-789")]);
    assert_eq!(world.state("worker-789"), HealthState::Degraded);
    assert_eq!((world.state("worker-123"), world.state("worker-456")), (HealthState::Healthy, HealthState::Healthy));
}

#[test]
fn a_clock_that_is_years_off_fails_nobody() {
    let world = World::new();
    for (name, year) in [("behind", "1999-01-01T00:00:00Z"), ("ahead", "2099-01-01T00:00:00Z")] {
        world.accept(WorkerHeartbeat { timestamp: Some(year.parse().unwrap()), ..plain(name) });
        assert_eq!(world.state(name), HealthState::Healthy);
    }
    world.pass(millis(1_249));
    assert_eq!(world.workers.unhealthy(HealthState::Degraded), []);
}

#[test]
fn a_member_that_calls_itself_unhealthy_is_not_taken_for_healthy_because_it_beats() {
    let world = World::new();
    world.accept(feeling(plain("zombie"), HealthStatus::Unhealthy));
    assert_eq!(world.workers.unhealthy(HealthState::Critical), [id("zombie")]);
}

#[test]
fn every_call_of_a_monitor_may_come_from_many_threads_at_once() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let workers = &workers;
            scope.spawn(move || {
                for n in 0..200 {
                    let own = id(&format!("{thread}-{n}"));
                    workers.start_monitoring(&own, Policy::batch()).unwrap();
                    workers.record(plain("shared")).unwrap();
                    workers.record(WorkerHeartbeat::new(own.clone())).unwrap();
                    assert_eq!(workers.health(&own).unwrap(), HealthState::Healthy);
                    assert!(workers.unhealthy(HealthState::Degraded).is_empty());
                    assert_eq!(workers.history(&own).len(), 1);
                    assert!(workers.stop_monitoring(&own));
                }
            });
        }
    });
    assert_eq!((workers.stats().total, workers.fleet().stats().beats.fresh), (1, 1_600));
}

#[cfg(feature = "server")]
#[test]
fn a_registry_listens_where_the_senders_of_the_examples_beat_to() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_heartbeat-registry")).args(["serve", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 127.0.0.1:8500]"), "{help}");
}
