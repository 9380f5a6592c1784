//! Mass silence is suspect.

use std::time::Duration;

use heartbeat_registry::contract::{Cause, EventBody, HealthState, HiveHeartbeat, HoldReason, Policy, ProtectionEnd};

use crate::town::{Place, Town};
use crate::world::{World, every, id, millis, plain, secs, with};

/// Cuts hosts off for 50 s, and lets them come back.
fn cut_off(town: &mut Town, is_cut: impl Fn(Place) -> bool) -> crate::town::Happened {
    town.pass(secs(50), |place, _| !is_cut(place));
    town.pass(secs(100), |_, _| true);
    town.events()
}

#[test]
fn a_zone_that_is_cut_off_for_50_s_fails_nobody_and_is_told_of_once() {
    let mut town = Town::five_zones();
    let happened = cut_off(&mut town, |place| place.zone == 2);
    assert_eq!(happened.protections(), (vec!["zone-2"], vec!["zone-2"]));
    assert_eq!(happened.ends(), [ProtectionEnd::Over]);
    assert!(happened.failed().is_empty() && happened.hosts_down().is_empty());
    assert_eq!(town.world.fleet.stats().members.healthy, 60);
}

#[test]
fn most_hosts_cut_off_for_50_s_fail_nobody_and_are_told_of_once() {
    let mut town = Town::five_zones();
    // Twelve of twenty, in all zones.
    let happened = cut_off(&mut town, |place| (place.zone * 4 + place.host) % 5 < 3);
    assert_eq!(happened.protections(), (vec!["_all"], vec!["_all"]));
    assert!(happened.failed().is_empty());
    // The same in whole zones.
    let happened = cut_off(&mut town, |place| place.zone < 3);
    assert_eq!(happened.protections(), (vec!["_all"], vec!["_all"]));
    assert!(happened.failed().is_empty());
}

#[test]
fn all_hosts_cut_off_for_50_s_fail_nobody_and_are_told_of_once() {
    let mut town = Town::five_zones();
    let happened = cut_off(&mut town, |_| true);
    assert_eq!(happened.protections(), (vec!["_all"], vec!["_all"]));
    assert!(happened.failed().is_empty());
}

#[test]
fn a_held_member_is_critical_and_shows_what_holds_it_and_until_when() {
    let town = Town::five_zones();
    town.pass(town.deadline() + secs(5), |place, _| place.zone != 2);
    let view = town.world.workers.view(&id("worker-2-0-1")).unwrap();
    assert_eq!((view.state, view.cause), (HealthState::Critical, Some(Cause::Silent)));
    let [hold] = view.holds.as_slice() else { panic!("{view:?}") };
    assert_eq!((hold.reason, hold.until.duration_since(hold.since).as_secs()), (HoldReason::MassSilence, 60));
    let page = town.world.fleet.protections().protections;
    assert_eq!((page[0].zone.as_str(), page[0].silent_hosts, page[0].hosts, page[0].members), ("zone-2", 4, 4, 12));
    let words = town.world.workers.explain(&id("worker-2-0-1")).unwrap().words.join(" ");
    assert!(words.contains("held: too many hosts fell silent at once"), "{words}");
}

#[test]
fn hosts_that_stay_silent_fail_after_a_minute_a_tenth_at_a_time() {
    let mut town = Town::new(1, 20, 0, secs(5));
    town.settle();
    town.pass(town.deadline() + Duration::from_mins(2), |_, _| false);
    let happened = town.events();
    assert_eq!(happened.protections(), (vec!["_all"], vec!["_all"]));
    let times = happened.0.iter().filter_map(|event| match &event.body {
        EventBody::Transition { to: HealthState::Failed, .. } => Some(event.at),
        _ => None,
    });
    let times: Vec<_> = times.collect();
    assert_eq!(times.len(), 20);
    for pair in times.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    for tenth in times.chunks(2).collect::<Vec<_>>().windows(2) {
        assert_eq!(tenth[1][0].duration_since(tenth[0][0]).as_millis(), 6_000);
    }
    let first = happened.failed().values().map(|(age, _)| *age).max().unwrap();
    let deadline = u64::try_from(town.deadline().as_millis()).unwrap();
    assert!(first <= deadline + 60_000 + 54_000 + 1, "{first}");
}

#[test]
fn an_operator_confirms_a_loss_or_lets_go_of_it() {
    for (confirms, fail_at_once) in [(true, 12), (false, 3)] {
        let mut town = Town::five_zones();
        town.pass(town.deadline() + secs(5), |place, _| place.zone != 2);
        assert!(town.events().failed().is_empty());
        let fleet = &town.world.fleet;
        let word = |zone: &str| {
            if confirms { fleet.confirm_protection(zone) } else { fleet.release_protection(zone) }
        };
        assert!(word("zone-1").is_none() && word("no zone").is_none());
        assert_eq!(word("zone-2").unwrap().members, 12);
        assert!(word("zone-2").is_none());
        town.pass(secs(1), |place, _| place.zone != 2);
        let happened = town.events();
        assert_eq!(happened.protections(), (vec![], vec!["zone-2"]));
        assert_eq!(happened.ends(), [if confirms { ProtectionEnd::Confirmed } else { ProtectionEnd::Released }]);
        assert_eq!(happened.failed().len(), fail_at_once, "confirmed: {confirms}");
        town.pass(secs(60), |place, _| place.zone != 2);
        assert_eq!(happened.failed().len() + town.events().failed().len(), 12);
    }
}

#[test]
fn hosts_that_are_let_go_one_after_the_other_are_shown_and_can_still_be_confirmed_as_lost() {
    let mut town = Town::new(1, 20, 0, secs(5));
    town.settle();
    town.pass(town.deadline() + secs(5), |_, _| false);
    let fleet = town.world.fleet.clone();
    fleet.release_protection("_all").unwrap();
    town.pass(secs(7), |_, _| false);
    assert_eq!(town.events().failed().len(), 4);
    let page = fleet.protections().protections;
    assert_eq!((page.len(), page[0].zone.as_str(), page[0].letting_go, page[0].silent_hosts), (1, "zone-0", true, 16));
    assert!(fleet.release_protection("zone-0").is_none(), "that is what happens already");
    assert_eq!(fleet.confirm_protection("zone-0").unwrap().members, 16);
    town.pass(millis(100), |_, _| false);
    assert_eq!(town.events().failed().len(), 16);
    assert!(fleet.confirm_protection("zone-0").is_none() && fleet.protections().protections.is_empty());
}

#[test]
fn once_most_hosts_are_back_those_that_stay_silent_fail_soon() {
    let mut town = Town::five_zones();
    town.pass(secs(30), |place, _| place.zone != 2);
    let stays_away = Place { zone: 2, host: 3 };
    town.pass(secs(20), |place, _| place != stays_away);
    let happened = town.events();
    assert_eq!(happened.protections(), (vec!["zone-2"], vec!["zone-2"]));
    let failed = happened.failed();
    assert_eq!(failed.keys().collect::<Vec<_>>(), ["hive-2-3", "worker-2-3-0", "worker-2-3-1"]);
    assert_eq!(happened.hosts_down().len(), 1);
}

#[test]
fn on_one_or_two_hosts_a_killed_process_fails_on_time() {
    for hosts in [1, 2] {
        let mut town = Town::new(1, hosts, 2, secs(5));
        town.settle();
        let killed = (town.places[0], Some(1));
        town.pass(secs(30), |place, member| (place, member) != killed);
        let deadline = u64::try_from(town.deadline().as_millis()).unwrap();
        assert_eq!(town.events().failed().get("worker-0-0-1"), Some(&(deadline, None)));
        // All of both hosts, too: two are no mass.
        town.pass(secs(30), |_, _| false);
        assert_eq!(town.events().failed().len(), 3 * hosts as usize - 1);
    }
}

#[test]
fn a_host_that_dies_alone_while_a_zone_is_protected_fails_on_time() {
    let mut town = Town::five_zones();
    town.pass(secs(30), |place, _| place.zone != 2);
    let lost = Place { zone: 4, host: 0 };
    town.pass(town.interval * 4, |place, _| place.zone != 2 && place != lost);
    let failed = town.events().failed();
    assert_eq!(failed.keys().collect::<Vec<_>>(), ["hive-4-0", "worker-4-0-0", "worker-4-0-1"]);
}

#[test]
fn hosts_that_die_one_after_the_other_are_no_mass() {
    let mut town = Town::new(1, 8, 0, secs(1));
    town.settle();
    for dead in 1..=8 {
        town.pass(secs(3), |place, _| place.host >= dead);
    }
    town.pass(secs(5), |_, _| false);
    let happened = town.events();
    assert!(happened.protections().0.is_empty());
    assert_eq!(happened.failed().len(), 8);
}

#[test]
fn members_that_never_beat_do_not_count_for_the_guard() {
    let mut world = World::new();
    for n in 0..6 {
        world.workers.start_monitoring(&id(&format!("w{n}")), Policy::every(secs(1))).unwrap();
    }
    world.pass(secs(4));
    let failures = world.transitions().iter().filter(|arrow| arrow.ends_with("failed")).count();
    assert_eq!(failures, 6);
}

#[test]
fn goodbyes_of_a_whole_zone_are_no_mass_silence_and_leave_no_host_behind() {
    let mut town = Town::five_zones();
    for place in town.places.clone().into_iter().filter(|place| place.zone == 2) {
        for n in 0..2 {
            town.world.accept(crate::world::goodbye(town.worker(place, n)));
        }
        let mut hive = HiveHeartbeat::new(id(&place.hive()));
        hive.beat.get_or_insert_default().leaving = Some("shutdown".to_owned());
        town.hives.record(hive).unwrap();
    }
    // Nine of the sixteen that remain are half of those, but not of twenty.
    town.pass(secs(30), |place, _| place.zone != 2 && (place.zone, place.host) > (2, 0));
    assert_eq!(town.events().protections().0, ["_all"]);
}

#[test]
fn a_held_member_that_has_to_beat_several_times_never_shows_failed() {
    let mut town = Town::new(1, 3, 0, secs(1));
    let patient = Policy { recover_after: 3, ..Policy::every(secs(1)) };
    for place in town.places.clone() {
        town.hives.start_monitoring(&id(&place.hive()), patient.clone()).unwrap();
    }
    town.settle();
    town.pass(secs(10), |_, _| false);
    town.pass(millis(1_500), |_, _| true);
    assert_eq!(town.hives.health(&id("hive-0-0")), Ok(HealthState::Critical));
    town.pass(secs(5), |_, _| true);
    assert_eq!(town.hives.health(&id("hive-0-0")), Ok(HealthState::Healthy));
    assert!(town.events().failed().is_empty());
}

#[test]
fn the_time_for_which_a_member_is_held_ends() {
    let mut town = Town::new(1, 3, 1, secs(1));
    town.settle();
    let bound = town.deadline() + Duration::from_mins(2) + millis(1);
    town.pass(bound + secs(1), |_, _| false);
    let failed = town.events().failed();
    assert_eq!(failed.len(), 6);
    assert!(failed.values().all(|(age, _)| Duration::from_millis(*age) <= bound), "{failed:?}");
}

#[test]
fn wherever_a_cut_falls_in_the_schedules_members_get_the_time_of_one_more_beat() {
    for interval in [10, 12, 14, 16, 18, 20] {
        for cut in [35, 40, 45, 50, 55, 60] {
            let mut town = Town::new(2, 4, 3, secs(interval));
            town.settle();
            town.pass(secs(cut), |place, _| place.zone != 0);
            town.pass(secs(120), |_, _| true);
            let failed = town.events().failed();
            assert!(failed.is_empty(), "cut off for {cut} s at an interval of {interval} s: {failed:?}");
        }
    }
}

#[test]
fn a_member_that_beats_seldom_gets_its_time_however_often_others_of_its_host_are_heard() {
    let mut world = World::new();
    let all_beat = |world: &World, name: &str, interval: u64| {
        for host in 0..3 {
            let beat = every(plain(&format!("{name}-{host}")), secs(interval));
            world.accept(with(beat, |info| info.hive_id = Some(id(&format!("hive-{host}")))));
        }
    };
    all_beat(&world, "seldom", 10);
    for _ in 0..10 {
        all_beat(&world, "often", 1);
        world.pass(secs(1));
    }
    // Cut off, and back before those that beat seldom are due.
    world.pass(secs(20));
    for _ in 0..4 {
        all_beat(&world, "often", 1);
        world.pass(secs(1));
    }
    all_beat(&world, "seldom", 10);
    let failed = crate::town::Happened(world.events()).failed();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_loss_that_is_confirmed_before_everyone_is_due_is_not_protected_again() {
    for confirms in [true, false] {
        let mut town = Town::five_zones();
        while town.world.fleet.protections().protections.is_empty() {
            town.pass(millis(100), |place, _| place.zone != 2);
        }
        if confirms {
            town.world.fleet.confirm_protection("zone-2").unwrap();
        } else {
            town.world.fleet.release_protection("zone-2").unwrap();
        }
        town.pass(secs(30), |place, _| place.zone != 2);
        let happened = town.events();
        assert_eq!(happened.protections(), (vec!["zone-2"], vec!["zone-2"]), "confirmed: {confirms}");
        let failed = happened.failed();
        assert_eq!(failed.len(), 12, "{failed:?}");
        let deadline = u64::try_from(town.deadline().as_millis()).unwrap();
        // The operator is as fast as a step of the town.
        let latest = deadline + if confirms { 100 } else { 18_000 + 5_000 };
        assert!(failed.values().all(|(age, _)| *age <= latest + 1), "confirmed: {confirms}, {failed:?}");
    }
}

#[test]
fn what_grows_from_a_zone_to_the_whole_fleet_is_protected_once_as_that() {
    let mut town = Town::five_zones();
    town.pass(secs(25), |place, _| place.zone != 2);
    assert_eq!(town.events().protections(), (vec!["zone-2"], vec![]));
    town.pass(secs(25), |_, _| false);
    let happened = town.events();
    assert_eq!(happened.protections(), (vec!["_all"], vec!["zone-2"]));
    assert_eq!(happened.ends(), [ProtectionEnd::Widened]);
    assert!(happened.failed().is_empty());
    let running = town.world.fleet.protections().protections;
    assert_eq!((running.len(), running[0].silent_hosts, running[0].hosts), (1, 20, 20));
    town.world.fleet.confirm_protection("_all").unwrap();
    town.pass(secs(6), |_, _| false);
    let happened = town.events();
    assert_eq!(happened.protections(), (vec![], vec!["_all"]));
    assert_eq!(happened.failed().len(), 60);
    assert_eq!(town.world.fleet.stats().members.failed, 60);
}

#[test]
fn hosts_that_get_one_beat_through_in_the_middle_of_a_mass_silence_are_held_with_the_others() {
    let mut town = Town::five_zones();
    let flickers = |place: Place| place.host == 0;
    town.pass(secs(20), |_, _| false);
    town.pass(secs(5), |place, _| flickers(place));
    town.pass(secs(30), |_, _| false);
    let failed = town.events().failed();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_failed_member_stays_failed_whatever_is_found_or_held_later() {
    let mut town = Town::new(1, 8, 0, secs(1));
    town.settle();
    town.pass(secs(6), |place, _| place.host > 0);
    assert_eq!(town.events().failed().len(), 1);
    // All others fall silent, and are let go.
    town.pass(secs(130), |_, _| false);
    let happened = town.events();
    let back =
        happened.0.iter().filter(|event| matches!(event.body, EventBody::Transition { from: HealthState::Failed, .. }));
    assert_eq!(back.count(), 0);
    assert_eq!(happened.failed().len(), 7);
}

#[test]
fn workers_that_die_on_many_hosts_at_once_beside_living_hives_are_no_mass_silence() {
    let mut town = Town::five_zones();
    town.pass(town.interval * 4, |_, worker| worker != Some(0));
    let happened = town.events();
    assert!(happened.protections().0.is_empty() && happened.hosts_down().is_empty());
    let deadline = u64::try_from(town.deadline().as_millis()).unwrap();
    let failed = happened.failed();
    assert_eq!(failed.len(), 20);
    assert!(failed.values().all(|(age, group)| *age == deadline && group.is_none()), "{failed:?}");
}
