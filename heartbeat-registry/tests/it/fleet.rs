//! States, order, recovery and forgetting, by arithmetic.

use heartbeat_registry::contract::{
    Cause, EventBody, ForgetReason, HealthState, HealthStatus, HoldReason, HostFrom, Policy,
};
use heartbeat_registry::{FleetConfig, MembersQuery, Outcome, RecordError};

use crate::world::{World, beat, every, feeling, goodbye, id, millis, plain, secs, with};

#[test]
fn a_silent_member_is_degraded_critical_and_failed_exactly_at_its_edges() {
    let mut world = World::new();
    world.accept(plain("a"));
    for (edge, before, after) in [
        (millis(1_250), HealthState::Healthy, HealthState::Degraded),
        (millis(1_000), HealthState::Degraded, HealthState::Critical),
    ] {
        world.pass(edge - std::time::Duration::from_micros(1));
        assert_eq!(world.state("a"), before);
        world.pass(std::time::Duration::from_micros(1));
        assert_eq!(world.state("a"), after);
    }
    world.pass(millis(1_000));
    assert_eq!(world.state("a"), HealthState::Critical);
    world.pass(std::time::Duration::from_micros(1));
    assert_eq!(world.state("a"), HealthState::Failed);
    assert_eq!(world.transitions(), ["healthy -> degraded", "degraded -> critical", "critical -> failed"]);
}

#[test]
fn the_default_fails_after_95_seconds_and_without_allowance_after_90() {
    let world = World::with(FleetConfig::default());
    let bare = World::with(FleetConfig {
        policy: Policy { allowance: Some(secs(0)), ..Policy::default() },
        ..FleetConfig::default()
    });
    for (world, bound) in [(&world, 95), (&bare, 90)] {
        world.accept(plain("a"));
        world.pass(secs(bound));
        assert_eq!(world.state("a"), HealthState::Critical);
        world.pass(millis(1));
        assert_eq!(world.state("a"), HealthState::Failed);
    }
}

#[test]
fn one_fresh_beat_recovers_from_any_state() {
    let mut world = World::new();
    for (silence, late) in [(2, "degraded"), (3, "critical"), (10, "failed")] {
        world.accept(beat("a", 1, silence));
        world.transitions();
        world.pass(secs(silence));
        assert_eq!(world.state("a").as_str(), late);
        world.accept(beat("a", 1, silence + 1));
        assert_eq!(world.transitions().last().unwrap(), &format!("{late} -> healthy"));
    }
}

#[test]
fn a_policy_may_ask_for_more_beats_before_a_member_is_healthy_again() {
    let world = World::new();
    let policy = Policy { recover_after: 3, ..Policy::every(secs(1)) };
    world.workers.start_monitoring(&id("a"), policy).unwrap();
    world.accept(plain("a"));
    world.pass(secs(2));
    for state in [HealthState::Degraded, HealthState::Degraded, HealthState::Healthy] {
        world.accept(plain("a"));
        assert_eq!(world.state("a"), state);
        world.pass(secs(1));
    }
}

#[test]
fn a_late_duplicate_does_not_revive_a_failed_member() {
    let world = World::new();
    world.accept(beat("a", 1, 5));
    world.pass(secs(10));
    assert_eq!(world.accept(beat("a", 1, 5)).outcome, Outcome::Duplicate);
    assert_eq!(world.accept(beat("a", 1, 4)).outcome, Outcome::Duplicate);
    assert_eq!(world.state("a"), HealthState::Failed);
    assert_eq!(world.workers.view(&id("a")).unwrap().seq, Some(5));
}

#[test]
fn an_older_run_is_refused_and_told_of_once() {
    let mut world = World::new();
    world.accept(beat("a", 1, 0));
    world.accept(beat("a", 2, 0));
    for seq in 1..4 {
        let refused = world.record(beat("a", 1, seq)).unwrap_err();
        assert_eq!(refused, RecordError::StaleIncarnation { id: id("a"), newest: 2 });
    }
    let told: Vec<_> = world.events().into_iter().map(|event| (event.incarnation, event.body)).collect();
    assert!(told.contains(&(Some(2), EventBody::Restarted { previous_incarnation: Some(1) })));
    let superseded = (Some(1), EventBody::Superseded { newest_incarnation: 2 });
    assert_eq!(told.iter().filter(|event| **event == superseded).count(), 1);
}

#[test]
fn a_newer_run_of_a_failed_member_is_a_restart_with_that_cause() {
    let mut world = World::new();
    world.accept(beat("a", 1, 0));
    world.pass(secs(10));
    world.accept(beat("a", 2, 0));
    let EventBody::Transition { from, to, cause, age_ms, .. } = world.events().pop().unwrap().body else { panic!() };
    assert_eq!((from, to, cause), (HealthState::Failed, HealthState::Healthy, Some(Cause::Restarted)));
    assert_eq!(age_ms, 10_000);
    assert_eq!(world.workers.view(&id("a")).unwrap().restarts, 1);
}

#[test]
fn a_newer_run_that_calls_itself_unwell_is_unwell_for_that_reason() {
    let mut world = World::new();
    world.accept(beat("a", 1, 0));
    world.pass(secs(10));
    world.accept(feeling(beat("a", 2, 0), HealthStatus::Degraded));
    let EventBody::Transition { to, cause, .. } = world.events().pop().unwrap().body else { panic!() };
    assert_eq!((to, cause), (HealthState::Degraded, Some(Cause::SelfReported)));
}

#[test]
fn a_goodbye_is_not_a_death_and_final_for_its_run() {
    let mut world = World::new();
    world.accept(beat("a", 1, 0));
    assert_eq!(world.accept(goodbye(beat("a", 1, 1))).outcome, Outcome::Left);
    assert_eq!(world.accept(goodbye(beat("a", 1, 1))).outcome, Outcome::Duplicate);
    assert!(matches!(world.record(beat("a", 1, 2)), Err(RecordError::StaleIncarnation { newest: 1, .. })));
    world.pass(secs(100));
    assert_eq!(world.state("a"), HealthState::Left);
    assert_eq!(world.transitions(), ["healthy -> left"]);
    world.accept(beat("a", 2, 0));
    assert_eq!(world.transitions(), ["left -> healthy"]);
}

#[test]
fn a_goodbye_from_an_unknown_member_is_acknowledged_and_inserts_nothing() {
    let world = World::new();
    let recorded = world.accept(every(goodbye(beat("ghost", 1, 0)), secs(7)));
    assert_eq!((recorded.outcome, recorded.next_in), (Outcome::Left, secs(7)));
    assert!(world.workers.health(&id("ghost")).is_err());
    assert_eq!(world.fleet.events(None, 10).events.len(), 0);
}

#[test]
fn failed_members_are_forgotten_after_a_day_and_those_that_left_after_ten_minutes() {
    let mut world = World::new();
    world.accept(plain("dead"));
    world.accept(plain("gone"));
    world.accept(goodbye(plain("gone")));
    world.pass(secs(600) - millis(1));
    assert!(world.workers.health(&id("gone")).is_ok());
    world.pass(millis(1));
    assert!(world.workers.health(&id("gone")).is_err());
    // It failed just after 3.25 s.
    world.pass(secs(24 * 3600 - 600) + millis(3_250));
    assert!(world.workers.health(&id("dead")).is_ok());
    world.pass(millis(1));
    assert!(world.workers.health(&id("dead")).is_err());
    let forgotten =
        world.events().into_iter().filter(|event| event.body == EventBody::Forgotten { reason: ForgetReason::Expired });
    assert_eq!(forgotten.count(), 2);
    assert_eq!(world.fleet.next_wake(), None, "with nobody left, the driver rests");
}

#[test]
fn a_member_says_itself_that_it_is_unwell_but_never_that_it_failed() {
    let world = World::new();
    world.accept(feeling(plain("a"), HealthStatus::Degraded));
    assert_eq!(world.state("a"), HealthState::Degraded);
    world.accept(feeling(plain("a"), HealthStatus::Unhealthy));
    assert_eq!(world.state("a"), HealthState::Critical);
    assert_eq!(world.workers.view(&id("a")).unwrap().cause, Some(Cause::SelfReported));
    world.accept(feeling(plain("a"), HealthStatus::Unknown));
    assert_eq!(world.state("a"), HealthState::Healthy);
}

#[test]
fn a_member_that_never_beats_ages_from_its_announcement_and_may_be_given_grace() {
    let world = World::new();
    world.pass(secs(5));
    world.workers.start_monitoring(&id("now"), Policy::every(secs(1))).unwrap();
    let patient = Policy { startup_grace: secs(60), ..Policy::every(secs(1)) };
    world.workers.start_monitoring(&id("later"), patient).unwrap();
    world.pass(secs(4));
    assert_eq!(world.state("now"), HealthState::Failed);
    assert_eq!(world.workers.view(&id("now")).unwrap().cause, Some(Cause::NeverSeen));
    assert_eq!(world.state("later"), HealthState::Critical);
    let holds = world.workers.view(&id("later")).unwrap().holds;
    assert_eq!(holds[0].reason, HoldReason::StartupGrace);
    assert_eq!(holds[0].since, crate::world::dawn() + secs(5));
    assert_eq!(holds[0].until, crate::world::dawn() + secs(65));
    world.pass(secs(56) - millis(1));
    assert_eq!(world.state("later"), HealthState::Critical);
    world.pass(millis(1));
    assert_eq!(world.state("later"), HealthState::Failed);
}

#[test]
fn a_member_is_judged_by_the_larger_of_its_declared_and_its_granted_interval() {
    let world = World::new();
    // The policy asks for 1 s; a member that declares 100 ms is granted that, one that declares 10 s keeps its own.
    assert_eq!(world.accept(every(plain("fast"), millis(100))).next_in, secs(1));
    assert_eq!(world.accept(every(plain("slow"), secs(10))).next_in, secs(10));
    let judged = |name: &str| world.workers.view(&id(name)).unwrap().policy.interval;
    assert_eq!((judged("fast"), judged("slow")), (secs(1), secs(10)));
    let declared = |name: &str| world.workers.view(&id(name)).unwrap().interval_ms;
    world.accept(plain("silent-about-it"));
    assert_eq!(["fast", "slow", "silent-about-it"].map(declared), [Some(100), Some(10_000), None]);
}

#[test]
fn a_shorter_interval_judges_only_from_the_second_beat_after_the_one_told_of_it() {
    let world = World::with(FleetConfig::default());
    let judged = || world.workers.view(&id("a")).unwrap().policy.interval;
    world.accept(every(plain("a"), secs(10)));
    for expected in [10, 10, 1] {
        world.accept(every(plain("a"), secs(1)));
        assert_eq!(judged(), secs(expected));
    }
    world.accept(every(plain("a"), secs(20)));
    assert_eq!(judged(), secs(20), "a longer one judges at once");
}

#[test]
fn time_in_which_the_registry_could_not_listen_is_held_against_nobody() {
    let world = World::new();
    world.accept(plain("a"));
    world.pass(millis(500));
    world.stall(secs(3600));
    assert_eq!(world.state("a"), HealthState::Healthy);
    let view = world.workers.view(&id("a")).unwrap();
    assert_eq!(view.age_ms, 3_600_500, "the age shown is the true silence");
    assert_eq!(view.credited_ms, 3_599_749, "all but what was left until the driver was to wake, and a millisecond");
    world.pass(millis(1_500));
    assert_eq!(world.state("a"), HealthState::Critical, "and what comes after counts as ever");
    world.pass(millis(1_001));
    assert_eq!(world.state("a"), HealthState::Failed);
}

#[test]
fn a_beat_that_is_read_before_the_driver_wakes_from_a_stall_does_not_come_from_the_future() {
    let world = World::new();
    world.accept(plain("a"));
    world.clock.advance(secs(3600));
    world.accept(plain("b"));
    world.fleet.sweep();
    world.pass(millis(3_251));
    assert_eq!(world.state("b"), HealthState::Failed, "b is judged by its own silence, not by an hour more");
}

#[test]
fn beyond_the_cap_room_is_made_by_forgetting_those_that_left_then_the_oldest_failed() {
    let mut world =
        World::with(FleetConfig { max_members: 3, policy: Policy::every(secs(1)), ..FleetConfig::default() });
    world.accept(plain("dead-first"));
    world.pass(secs(4));
    world.accept(plain("dead-second"));
    world.pass(secs(4));
    world.accept(plain("gone"));
    world.accept(goodbye(plain("gone")));
    for newcomer in ["a", "b", "c"] {
        world.accept(plain(newcomer));
    }
    let order: Vec<_> = world
        .events()
        .into_iter()
        .filter(|event| event.body == EventBody::Forgotten { reason: ForgetReason::Room })
        .map(|event| event.member.unwrap().to_string())
        .collect();
    assert_eq!(order, ["gone", "dead-first", "dead-second"]);
    assert_eq!(world.record(plain("d")).unwrap_err(), RecordError::TooManyMembers { max: 3 });
    assert_eq!(world.workers.online().len(), 3);
}

#[test]
fn a_member_that_beats_again_but_is_not_yet_taken_for_recovered_is_not_forgotten_for_room() {
    let config = FleetConfig { max_members: 1, policy: Policy::every(secs(1)), ..FleetConfig::default() };
    let world = World::with(config);
    let policy = Policy { recover_after: 3, ..Policy::every(secs(1)) };
    world.workers.start_monitoring(&id("a"), policy).unwrap();
    world.accept(plain("a"));
    world.pass(secs(10));
    world.accept(plain("a"));
    assert_eq!(world.state("a"), HealthState::Failed);
    world.pass(millis(3_250));
    assert_eq!(world.record(plain("b")).unwrap_err(), RecordError::TooManyMembers { max: 1 });
}

#[test]
fn an_interval_of_odd_milliseconds_is_judged_by_its_published_bound() {
    let world = World::with(FleetConfig { policy: Policy::every(millis(101)), ..FleetConfig::default() });
    world.accept(plain("a"));
    let bound = world.workers.view(&id("a")).unwrap().policy.failed_after();
    world.pass(bound);
    assert_eq!(world.state("a"), HealthState::Critical);
    world.pass(std::time::Duration::from_micros(1));
    assert_eq!(world.state("a"), HealthState::Failed);
}

#[test]
fn an_incarnation_more_than_a_day_ahead_is_refused() {
    let world = World::new();
    let day = 24 * 3600 * 1_000_000;
    let latest = u64::try_from(crate::world::dawn().as_microsecond()).unwrap() + day;
    assert!(world.record(beat("a", latest, 0)).is_ok());
    assert!(matches!(world.record(beat("b", latest + 1, 0)), Err(RecordError::Invalid(_))));
}

#[test]
fn stale_and_cleanup_stale_go_by_age_alone() {
    let world = World::new();
    world.accept(plain("old"));
    world.pass(secs(5));
    world.accept(plain("new"));
    assert!(world.workers.stale(secs(5)).is_empty(), "older than 5 s, not as old");
    assert_eq!(world.workers.stale(millis(4_999)), [id("old")]);
    assert_eq!(world.workers.cleanup_stale(millis(4_999)), [id("old")]);
    assert_eq!(world.workers.online(), [id("new")]);
}

#[test]
fn unhealthy_never_lists_those_that_left() {
    let world = World::new();
    for name in ["left", "failed", "fine"] {
        world.accept(plain(name));
    }
    world.accept(goodbye(plain("left")));
    world.pass(secs(4));
    world.accept(plain("fine"));
    assert_eq!(world.workers.unhealthy(HealthState::Degraded), [id("failed")]);
    assert_eq!(world.workers.online(), [id("fine")]);
}

#[test]
fn a_view_tells_where_a_member_lives_and_how_that_is_known() {
    let world = World::new();
    world.accept(plain("here"));
    world.accept(with(plain("there"), |info| info.hive_id = Some(id("hive-7"))));
    let host = |name: &str| {
        let view = world.workers.view(&id(name)).unwrap();
        (view.host, view.host_from)
    };
    assert_eq!(host("here"), ("local".to_owned(), HostFrom::Local));
    assert_eq!(host("there"), ("hive-7".to_owned(), HostFrom::HiveId));
}

#[test]
fn loss_is_told_from_gaps_in_seq() {
    let world = World::new();
    for seq in [10, 11, 13, 19] {
        world.accept(beat("a", 1, seq));
    }
    let shown = world.workers.view(&id("a")).unwrap();
    for loss in [shown.loss_rate.unwrap(), shown.recent_loss_rate.unwrap()] {
        assert!((loss - 0.6).abs() < 1e-9, "{loss}");
    }
}

#[test]
fn pages_show_each_member_that_stays_exactly_once_while_others_come_and_go() {
    let world = World::new();
    for n in 0..500 {
        world.accept(plain(&format!("stays-{n}")));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut query = MembersQuery { limit: Some(7), ..MembersQuery::default() };
    for n in 0.. {
        let page = world.workers.page(&query).unwrap();
        for member in page.members.iter().filter(|member| member.id.as_str().starts_with("stays")) {
            assert!(seen.insert(member.id.clone()), "{} shows twice", member.id);
        }
        world.accept(plain(&format!("comes-{n}")));
        world.workers.stop_monitoring(&id(&format!("comes-{}", n / 2)));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 500);
}

#[tokio::test]
async fn a_subscription_gives_transitions_in_order_and_says_when_some_were_dropped() {
    let world = World::with(FleetConfig { policy: Policy::every(secs(1)), events_kept: 4, ..FleetConfig::default() });
    let mut transitions = world.workers.subscribe();
    world.accept(plain("a"));
    world.pass(secs(4));
    assert_eq!(transitions.next().await.unwrap().to, HealthState::Degraded);
    for worse in [HealthState::Critical, HealthState::Failed] {
        assert_eq!(transitions.try_next().unwrap().map(|change| change.to), Some(worse));
    }
    assert_eq!(transitions.try_next(), Ok(None));
    for _ in 0..3 {
        world.accept(plain("a"));
        world.pass(secs(2));
    }
    assert_eq!(transitions.next().await, Err(heartbeat_registry::SubscriptionError::Missed(2)));
    assert_eq!(transitions.next().await.unwrap().from, HealthState::Degraded);
}
