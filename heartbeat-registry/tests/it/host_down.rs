//! A host dies once, and hives say what they saw of their workers.

use heartbeat_registry::contract::{
    Cause, EventBody, HealthState, HiveHeartbeat, Policy, ProcessExit, WorkerHeartbeat,
};

use crate::town::{Place, Town};
use crate::world::{World, every, id, plain, secs, with};

#[test]
fn a_host_that_is_lost_is_one_host_down_with_its_workers_within_four_intervals() {
    let mut town = Town::five_zones();
    let lost = Place { zone: 1, host: 2 };
    town.pass(town.interval * 4, |place, _| place != lost);
    let happened = town.events();
    let [down] = happened.hosts_down()[..] else { panic!("{:?}", happened.0) };
    let EventBody::HostDown { host, members, failed_before, zone } = &down.body else { unreachable!() };
    assert_eq!((host.as_str(), zone.as_str(), *members, failed_before.len()), ("hive-1-2", "zone-1", 3, 0));
    let failed = happened.failed();
    assert_eq!(failed.len(), 3);
    assert!(failed.values().all(|(_, group)| *group == Some(down.n)));
    assert!(happened.protections().0.is_empty());
    let causes = happened.0.iter().filter_map(|event| match &event.body {
        EventBody::Transition { to: HealthState::Failed, cause, .. } => *cause,
        _ => None,
    });
    assert!(causes.into_iter().all(|cause| cause == Cause::HostDown));
    let view = town.world.workers.view(&id("worker-1-2-0")).unwrap();
    assert_eq!(view.cause, Some(Cause::HostDown));
    // It comes back, and dies anew: another event.
    town.pass(town.interval * 2, |_, _| true);
    town.events();
    assert_eq!(town.world.workers.view(&id("worker-1-2-0")).unwrap().cause, None);
    town.pass(town.interval * 4, |place, _| place != lost);
    assert_eq!(town.events().hosts_down().len(), 1);
}

#[test]
fn workers_that_die_beside_a_living_hive_are_no_host_down() {
    let mut town = Town::five_zones();
    let place = Place { zone: 1, host: 2 };
    town.pass(town.interval * 4, |other, worker| other != place || worker.is_none());
    let happened = town.events();
    assert_eq!(happened.failed().len(), 2);
    assert!(happened.hosts_down().is_empty() && happened.failed().values().all(|(_, group)| group.is_none()));
}

#[test]
fn a_member_due_before_its_hive_is_told_on_time_and_a_later_host_down_refers_to_it() {
    let mut town = Town::new(1, 1, 1, secs(10));
    let place = town.places[0];
    town.settle();
    let hasty = || with(every(plain("hasty"), secs(1)), |info| info.hive_id = Some(id(&place.hive())));
    town.beat(place, None);
    town.beat(place, Some(0));
    town.world.workers.start_monitoring(&id("hasty"), Policy::every(secs(1))).unwrap();
    town.world.accept(hasty());
    town.events();
    town.world.pass(secs(4));
    let happened = town.events();
    assert_eq!(happened.failed()["hasty"], (3_250, None));
    assert!(happened.hosts_down().is_empty());
    town.world.pass(secs(30));
    let happened = town.events();
    let [down] = happened.hosts_down()[..] else { panic!("{:?}", happened.0) };
    let EventBody::HostDown { failed_before, members, .. } = &down.body else { unreachable!() };
    assert_eq!((failed_before.as_slice(), *members), (["worker/hasty".to_owned()].as_slice(), 3));
}

#[test]
fn a_hive_that_reports_an_exit_says_why_its_worker_is_silent() {
    let mut town = Town::new(1, 1, 2, secs(5));
    town.settle();
    let place = town.places[0];
    let report = |town: &Town, exit: ProcessExit| {
        let mut hive = HiveHeartbeat::new(id(&place.hive()));
        hive.exited = vec![exit];
        hive.beat.get_or_insert_default().interval_ms = Some(5_000);
        town.hives.record(hive).unwrap();
    };
    let exit = ProcessExit { pid: Some(4711), signal: Some(9), ..ProcessExit::new(id(&place.worker(0))) };
    let dead = Some(0);
    town.pass(secs(10), |_, member| member != dead);
    report(&town, exit.clone());
    town.pass(secs(10), |_, member| member != dead);
    let happened = town.events();
    let (cause, evidence) = cause_of_failure(&happened.0);
    assert_eq!(cause, Some(Cause::ProcessDead));
    assert!(evidence.contains("hive hive-0-0 reports: process 4711 was ended by signal 9"), "{evidence}");

    // One that has beaten since is not the one that ended, nor are workers of other hives.
    town.pass(secs(10), |_, _| true);
    report(&town, ProcessExit { age_ms: Some(20_000), ..exit.clone() });
    town.world.accept(every(plain("elsewhere"), secs(5)));
    report(&town, ProcessExit::new(id("elsewhere")));
    town.events();
    town.world.pass(secs(20));
    let causes = town.events().0.into_iter().filter_map(|event| match event.body {
        EventBody::Transition { to: HealthState::Failed, cause, .. } => cause,
        _ => None,
    });
    assert!(causes.into_iter().all(|cause| cause != Cause::ProcessDead));
}

fn cause_of_failure(events: &[heartbeat_registry::contract::Event]) -> (Option<Cause>, String) {
    let failed = events.iter().find_map(|event| match &event.body {
        EventBody::Transition { to: HealthState::Failed, cause, evidence, .. } => Some((*cause, evidence.join("; "))),
        _ => None,
    });
    failed.expect("someone failed")
}

#[test]
fn a_worker_without_a_hive_is_known_by_its_address_or_process() {
    let world = World::new();
    world.accept(WorkerHeartbeat::new(id("a")));
    assert_eq!(world.workers.view(&id("a")).unwrap().host, "local");
}

#[test]
fn a_member_that_moves_away_from_a_dead_host_does_not_bring_it_back() {
    let mut town = Town::five_zones();
    let lost = Place { zone: 1, host: 2 };
    let moves = |town: &Town| {
        let moved = with(town.worker(lost, 0), |info| info.hive_id = Some(id("hive-1-1")));
        town.world.accept(moved);
    };
    town.pass(town.interval * 3, |place, _| place != lost);
    moves(&town);
    town.pass(town.interval, |place, _| place != lost);
    moves(&town);
    let happened = town.events();
    assert_eq!(happened.hosts_down().len(), 1);
    assert_eq!(town.world.workers.view(&id("worker-1-2-0")).unwrap().host, "hive-1-1");
    // It is still silent, so that it does not count as heard: three of the other three in its zone are a mass.
    town.pass(town.deadline() + secs(5), |place, _| place.zone != 1);
    assert_eq!(town.events().protections().0, ["zone-1"]);
}

#[test]
fn a_member_that_moves_to_a_host_that_was_down_brings_that_back() {
    let mut town = Town::five_zones();
    let lost = Place { zone: 1, host: 2 };
    town.pass(town.interval * 4, |place, _| place != lost);
    assert_eq!(town.events().hosts_down().len(), 1);
    let mover = Place { zone: 1, host: 1 };
    town.world.accept(with(town.worker(mover, 0), |info| info.hive_id = Some(id(&lost.hive()))));
    // One beat, and it is silent like the others there: the host went down a second time.
    town.pass(town.interval * 4, |place, worker| place != lost && (place, worker) != (mover, Some(0)));
    let happened = town.events();
    let [down] = happened.hosts_down()[..] else { panic!("{:?}", happened.0) };
    assert_eq!(happened.failed()["worker-1-1-0"].1, Some(down.n));
}
