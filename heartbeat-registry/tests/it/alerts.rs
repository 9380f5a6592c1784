//! Telling this process: who is told what, and how often.

mod threads;

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use heartbeat_registry::contract::{Cause, HealthState, HealthStatus, HiveHeartbeat, Policy};
use heartbeat_registry::{Alert, AlertStats, Alerts, AlertsHandle, ConfigError, FleetConfig, HiveRegistry, StartError};

use crate::world::{World, dawn, feeling, goodbye, id, millis, plain, secs};

/// Longer than any of this takes on the slowest machine.
const LONG: Duration = Duration::from_secs(30);

fn told<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(LONG).expect("it is told within half a minute")
}

/// A callback that passes on what it is told, and what it passes it on to.
fn pass_on() -> (impl FnMut(Alert) + Send + 'static, Receiver<Alert>) {
    let (sender, receiver) = channel();
    (move |alert| sender.send(alert).unwrap_or(()), receiver)
}

/// The same for all filters: `a failed`, or `a recovered`.
fn filtered(alerts: Alerts) -> (Alerts, Receiver<String>) {
    let (sender, receiver) = channel();
    let say = |what: &'static str| {
        let sender = sender.clone();
        move |alert: Alert| sender.send(format!("{} {what}", alert.member)).unwrap_or(())
    };
    let alerts = alerts
        .on_degraded(say("degraded"))
        .on_critical(say("critical"))
        .on_failed(say("failed"))
        .on_recovered(say("recovered"));
    (alerts, receiver)
}

/// A world whose alerts are heard.
struct Told {
    world: World,
    alerts: AlertsHandle,
    every: Receiver<Alert>,
    filtered: Receiver<String>,
}

impl Told {
    fn with(alerts: Alerts) -> Self {
        let world = World::new();
        let (every, transitions) = pass_on();
        let (alerts, filtered) = filtered(alerts);
        // Last, so that the filters have been told when it is.
        let alerts = world.workers.configure_alerts(alerts.on_transition(every)).unwrap();
        Self { world, alerts, every: transitions, filtered }
    }

    fn new() -> Self {
        Self::with(Alerts::new())
    }

    /// What the filters were told up to a transition into a state.
    #[track_caller]
    fn until(&self, to: HealthState) -> Vec<String> {
        while told(&self.every).to != to {}
        self.filtered.try_iter().collect()
    }

    fn fails(&self, name: &str) -> Vec<String> {
        self.world.accept(plain(name));
        self.world.pass(secs(4));
        self.until(HealthState::Failed)
    }

    fn recovers(&self, name: &str) -> Vec<String> {
        self.world.accept(plain(name));
        self.until(HealthState::Healthy)
    }
}

#[test]
fn each_filter_is_told_of_its_state_in_order() {
    let told = Told::new();
    assert_eq!(told.fails("a"), ["a degraded", "a critical", "a failed"]);
    assert_eq!(told.recovers("a"), ["a recovered"]);
    let stats = stats_at_the_end(&told.alerts);
    assert_eq!((stats.told, stats.suppressed, stats.panicked, stats.timed_out, stats.missed), (8, 0, 0, 0, 0));
}

#[test]
fn an_alert_tells_who_what_since_when_and_why() {
    let world = World::new();
    let (callback, alerts) = pass_on();
    world.workers.configure_alerts(Alerts::new().on_failed(callback)).unwrap();
    world.accept(crate::world::beat("a", 7, 0));
    world.pass(secs(4));
    let alert = told(&alerts);
    let event = world.fleet.events(None, usize::MAX).events.pop().unwrap();
    assert_eq!((alert.event, alert.at), (event.id, event.at));
    assert_eq!((alert.kind.as_str(), alert.member, alert.incarnation), ("worker", id("a"), Some(7)));
    assert_eq!((alert.from, alert.to), (HealthState::Critical, HealthState::Failed));
    assert_eq!(alert.age, millis(3_250));
    assert!(alert.last_beat.unwrap().duration_since(dawn()).abs() < millis(1).try_into().unwrap());
    assert_eq!((alert.cause, alert.evidence.len()), (Some(Cause::Silent), 1));
}

#[test]
fn a_member_that_never_beat_has_no_last_beat_until_it_beats() {
    let world = World::new();
    let (callback, alerts) = pass_on();
    world.workers.configure_alerts(Alerts::new().on_transition(callback)).unwrap();
    world.workers.start_monitoring(&id("a"), Policy::every(secs(1))).unwrap();
    world.pass(secs(2));
    world.accept(plain("a"));
    world.pass(secs(2));
    let last_beats = [told(&alerts), told(&alerts), told(&alerts)].map(|alert| alert.last_beat);
    assert_eq!(last_beats, [None, None, Some(dawn() + secs(2))]);
    world.workers.start_monitoring(&id("b"), Policy::every(secs(1))).unwrap();
    world.accept(feeling(plain("b"), HealthStatus::Degraded));
    world.accept(feeling(plain("c"), HealthStatus::Degraded));
    assert_eq!([told(&alerts), told(&alerts)].map(|alert| alert.last_beat), [None, None], "the first is no last one");
}

#[test]
fn a_goodbye_is_a_transition_and_no_alert() {
    let told = Told::new();
    told.world.accept(plain("a"));
    told.world.accept(goodbye(plain("a")));
    assert_eq!(told.until(HealthState::Left), [""; 0]);
    assert_eq!(told.recovers("a"), [""; 0]);
    assert_eq!(told.alerts.stats().suppressed, 0);
}

#[test]
fn whoever_calls_itself_degraded_is_told_of_and_told_of_when_it_is_well() {
    let told = Told::new();
    told.world.accept(feeling(plain("a"), HealthStatus::Degraded));
    assert_eq!(told.until(HealthState::Degraded), ["a degraded"]);
    assert_eq!(told.recovers("a"), ["a recovered"]);
}

#[test]
fn within_the_cooldown_a_second_failure_is_told_once() {
    let told = Told::new();
    assert_eq!(told.fails("a").last().unwrap(), "a failed");
    assert_eq!(told.recovers("a"), ["a recovered"]);
    assert_eq!(told.fails("a"), [""; 0]);
    // Degraded, critical and failed.
    assert_eq!(told.alerts.stats().suppressed, 3);
    told.recovers("a");
    for _ in 0..56 {
        told.world.pass(secs(1));
        told.world.accept(plain("a"));
    }
    assert_eq!(told.fails("a"), ["a degraded", "a critical", "a failed"]);
}

#[test]
fn whoever_fails_again_within_the_cooldown_and_stays_failed_is_told_of_when_it_is_over() {
    let told = Told::new();
    told.fails("a");
    told.recovers("a");
    assert_eq!(told.fails("a"), [""; 0]);
    told.world.pass(secs(55));
    told.world.accept(feeling(plain("b"), HealthStatus::Degraded));
    assert_eq!(told.until(HealthState::Degraded), ["b degraded"]);
    told.world.pass(secs(1));
    told.world.accept(feeling(plain("c"), HealthStatus::Degraded));
    assert_eq!(told.until(HealthState::Degraded), ["a failed", "c degraded"]);
    assert_eq!(told.recovers("a"), ["a recovered"]);
}

#[test]
fn the_cooldown_is_per_member_and_state() {
    let told = Told::new();
    told.world.accept(plain("a"));
    told.world.pass(secs(2));
    assert_eq!(told.until(HealthState::Degraded), ["a degraded"]);
    assert_eq!(told.recovers("a"), ["a recovered"]);
    assert_eq!(told.fails("a"), ["a critical", "a failed"]);
    told.world.workers.stop_monitoring(&id("a"));
    assert_eq!(told.fails("b"), ["b degraded", "b critical", "b failed"]);
}

#[test]
fn recovery_of_a_told_failure_is_always_told_and_of_a_suppressed_one_never() {
    let told = Told::new();
    told.fails("a");
    assert_eq!(told.recovers("a"), ["a recovered"]);
    told.fails("a");
    assert_eq!(told.recovers("a"), [""; 0]);
    told.world.workers.stop_monitoring(&id("a"));
    told.fails("a");
    assert_eq!(told.recovers("a"), ["a recovered"]);
}

#[test]
fn without_a_cooldown_every_failure_is_told() {
    let told = Told::with(Alerts::new().cooldown(Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(told.fails("a"), ["a degraded", "a critical", "a failed"]);
        assert_eq!(told.recovers("a"), ["a recovered"]);
    }
    assert_eq!(told.alerts.stats().suppressed, 0);
}

#[test]
fn a_registry_tells_of_its_kind_and_a_fleet_of_all() {
    let world = World::new();
    let hives = HiveRegistry::new(&world.fleet);
    let (workers_callback, of_workers) = pass_on();
    let (fleet_callback, of_all) = pass_on();
    world.workers.configure_alerts(Alerts::new().on_failed(workers_callback)).unwrap();
    world.fleet.configure_alerts(Alerts::new().on_failed(fleet_callback)).unwrap();
    hives.record(HiveHeartbeat::new(id("same"))).unwrap();
    world.pass(millis(10));
    world.accept(plain("same"));
    world.pass(secs(4));
    let kinds = [told(&of_all), told(&of_all)].map(|alert| alert.kind.to_string());
    assert_eq!(kinds, ["hive", "worker"]);
    assert_eq!(told(&of_workers).kind.as_str(), "worker");
}

#[test]
fn whoever_was_forgotten_while_events_were_missed_begins_anew() {
    let world = World::with(FleetConfig { policy: Policy::every(secs(1)), events_kept: 20, ..FleetConfig::default() });
    let (begins, begun) = channel();
    let (go_on, blocks) = channel();
    let alerts = Alerts::new().on_failed(move |alert| {
        begins.send(alert.member).unwrap();
        blocks.recv().unwrap_or(());
    });
    let alerts = world.workers.configure_alerts(alerts).unwrap();
    let fail = |names: [&str; 2]| {
        for name in names {
            world.accept(plain(name));
            world.pass(millis(1));
        }
        world.pass(secs(4));
    };
    fail(["stays", "goes"]);
    assert_eq!(told(&begun), id("stays"));
    go_on.send(()).unwrap();
    assert_eq!(told(&begun), id("goes"));
    world.workers.stop_monitoring(&id("goes"));
    for _ in 0..20 {
        world.accept(plain("loud"));
        world.workers.stop_monitoring(&id("loud"));
    }
    drop(go_on);
    fail(["other", "another"]);
    assert_eq!([told(&begun), told(&begun)], [id("other"), id("another")]);
    fail(["stays", "goes"]);
    assert_eq!(told(&begun), id("goes"));
    assert!(alerts.stats().missed > 20, "{:?}", alerts.stats());
    assert_eq!(alerts.stats().suppressed, 1);
}

#[test]
fn a_timeout_out_of_bounds_is_refused() {
    let world = World::new();
    for timeout in [Duration::ZERO, Duration::from_hours(2)] {
        let refused = world.workers.configure_alerts(Alerts::new().timeout(timeout)).unwrap_err();
        assert!(matches!(refused, StartError::Config(ConfigError::OutOfRange { .. })), "{refused}");
    }
}

/// A call is counted once it has ended, which is after it was heard of.
fn stats_at_the_end(alerts: &AlertsHandle) -> AlertStats {
    alerts.stop();
    block_on(alerts.ended());
    alerts.stats()
}

/// Waits without a runtime that has time.
fn block_on<T: Debug>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
