//! Telling this process: who is told what, and that nobody has to wait for it.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use heartbeat_registry::contract::{Cause, HealthState, HealthStatus, HiveHeartbeat, Policy};
use heartbeat_registry::{
    Alert, AlertStats, Alerts, AlertsHandle, ConfigError, Fleet, FleetConfig, HiveRegistry, StartError, WorkerRegistry,
};

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
    let say = |what: &'static str, sender: &Sender<String>| {
        let sender = sender.clone();
        move |alert: Alert| sender.send(format!("{} {what}", alert.member)).unwrap_or(())
    };
    let alerts = alerts
        .on_degraded(say("degraded", &sender))
        .on_critical(say("critical", &sender))
        .on_failed(say("failed", &sender))
        .on_recovered(say("recovered", &sender));
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
fn a_panicking_callback_is_counted_and_the_next_alert_still_comes() {
    let world = World::new();
    let (callback, after) = pass_on();
    let alerts = Alerts::new()
        .on_degraded(|alert| assert_eq!(alert.to, HealthState::Healthy, "a test asked for it"))
        .on_degraded(|alert: Alert| async move {
            tokio::task::yield_now().await;
            assert_eq!(alert.to, HealthState::Healthy, "a test asked for it");
        })
        .on_degraded(callback);
    let alerts = world.workers.configure_alerts(alerts.cooldown(Duration::ZERO)).unwrap();
    for _ in 0..2 {
        world.accept(plain("a"));
        world.pass(secs(2));
        assert_eq!(told(&after).to, HealthState::Degraded);
    }
    let stats = stats_at_the_end(&alerts);
    assert_eq!((stats.panicked, stats.told), (4, 2));
}

#[test]
fn a_future_that_never_ends_is_dropped_after_the_timeout_and_the_next_alert_still_comes() {
    let world = World::new();
    let (callback, after) = pass_on();
    let alerts = Alerts::new().timeout(millis(10)).on_degraded(|_| std::future::pending()).on_degraded(callback);
    let alerts = world.workers.configure_alerts(alerts).unwrap();
    for name in ["a", "b"] {
        world.accept(plain(name));
        world.pass(secs(2));
        assert_eq!(told(&after).member, id(name));
    }
    assert_eq!(alerts.stats().timed_out, 2);
}

#[test]
fn a_callback_that_blocks_delays_no_verdict_and_no_alerts_configured_elsewhere() {
    let world = World::new();
    let (callback, others) = pass_on();
    let (begins, begun) = channel();
    let (go_on, blocks) = channel::<()>();
    let blocking = Alerts::new().on_degraded(move |_| {
        begins.send(()).unwrap();
        blocks.recv().unwrap_or(());
    });
    let blocked = world.workers.configure_alerts(blocking).unwrap();
    world.workers.configure_alerts(Alerts::new().on_failed(callback)).unwrap();
    world.accept(plain("a"));
    world.pass(secs(2));
    told(&begun);
    world.accept(plain("b"));
    world.pass(secs(4));
    assert_eq!((world.state("a"), world.state("b")), (HealthState::Failed, HealthState::Failed));
    assert_eq!([told(&others).member, told(&others).member], [id("a"), id("b")]);
    assert_eq!(blocked.stats().told, 0);
    drop(go_on);
    told(&begun);
}

#[test]
fn events_dropped_before_they_were_read_are_counted_and_what_follows_is_told() {
    let world = World::with(FleetConfig { policy: Policy::every(secs(1)), events_kept: 4, ..FleetConfig::default() });
    let (begins, begun) = channel();
    let (go_on, blocks) = channel::<()>();
    let alerts = Alerts::new().cooldown(Duration::ZERO).on_transition(move |alert| {
        begins.send(alert.event.n).unwrap();
        blocks.recv().unwrap_or(());
    });
    let alerts = world.workers.configure_alerts(alerts).unwrap();
    world.accept(plain("a"));
    world.pass(secs(2));
    assert_eq!(told(&begun), 2);
    for _ in 0..5 {
        world.accept(plain("a"));
        world.pass(secs(2));
    }
    drop(go_on);
    let numbers = [told(&begun), told(&begun), told(&begun), told(&begun)];
    assert_eq!((numbers, alerts.stats().missed), ([9, 10, 11, 12], 6));
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
fn a_stopped_alert_tells_nothing_more_and_drops_its_callbacks() {
    let told = Told::new();
    told.fails("a");
    assert!(told.alerts.is_running());
    told.alerts.stop();
    block_on(told.alerts.ended());
    assert!(!told.alerts.is_running());
    told.world.accept(plain("a"));
    assert_eq!(told.every.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn dropping_the_handle_does_not_stop_the_alerts() {
    let Told { world, alerts, every, .. } = Told::new();
    drop(alerts);
    world.accept(plain("a"));
    world.pass(secs(2));
    assert_eq!(told(&every).to, HealthState::Degraded);
}

#[test]
fn dropping_the_fleet_ends_the_alerts_thread_once_what_was_logged_is_told() {
    let (callback, alerts) = pass_on();
    let (fleet_callback, of_fleet) = pass_on();
    let world = World::new();
    let weak = world.workers.downgrade();
    let forgets = move |alert: Alert| {
        if let Some(workers) = weak.upgrade() {
            workers.stop_monitoring(&alert.member);
        }
    };
    world.workers.configure_alerts(Alerts::new().on_failed(forgets).on_transition(callback)).unwrap();
    world.fleet.configure_alerts(Alerts::new().on_transition(fleet_callback)).unwrap();
    world.accept(plain("a"));
    world.pass(secs(4));
    drop(world);
    for alerts in [alerts, of_fleet] {
        assert_eq!(
            [(); 3].map(|()| told(&alerts).to),
            [HealthState::Degraded, HealthState::Critical, HealthState::Failed]
        );
        assert_eq!(alerts.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }
}

#[test]
fn a_weak_handle_gives_the_registry_as_long_as_somebody_keeps_it() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let (weak, weak_fleet) = (workers.downgrade(), workers.fleet().downgrade());
    assert!(weak.upgrade().unwrap().record(plain("a")).is_ok());
    assert!(weak_fleet.upgrade().unwrap().is_driven());
    drop(workers);
    assert!(weak.upgrade().is_none() && weak_fleet.upgrade().is_none());
}

#[test]
fn works_without_a_runtime() {
    let policy = Policy { allowance: Some(Duration::ZERO), threshold: 2, ..Policy::every(millis(100)) };
    let fleet = Fleet::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap();
    let workers = WorkerRegistry::new(&fleet);
    let (sender, failures) = channel();
    let callback = move |alert: Alert| {
        let sender = sender.clone();
        async move {
            tokio::time::sleep(millis(1)).await;
            sender.send(alert).unwrap();
        }
    };
    workers.configure_alerts(Alerts::new().on_failed(callback)).unwrap();
    workers.record(plain("a")).unwrap();
    assert_eq!(told(&failures).member, id("a"));
}

#[test]
fn a_shutdown_tells_what_is_logged_and_lets_go_of_callbacks_that_keep_the_fleet() {
    let Told { world, alerts, every, filtered } = Told::new();
    let keeps = world.workers.clone();
    let (mut callback, kept) = pass_on();
    let callback = move |alert: Alert| {
        assert_eq!(keeps.health(&alert.member), Ok(HealthState::Failed));
        callback(alert);
    };
    world.workers.configure_alerts(Alerts::new().on_failed(callback)).unwrap();
    world.accept(plain("a"));
    world.pass(secs(4));
    block_on(world.fleet.shutdown());
    assert!(!alerts.is_running());
    assert_eq!(every.iter().count() + filtered.iter().count(), 6);
    assert_eq!(kept.iter().count(), 1);
    let weak = world.fleet.downgrade();
    drop(world);
    assert!(weak.upgrade().is_none(), "nobody keeps the fleet");
}

#[test]
fn a_shutdown_within_a_callback_does_not_wait_for_itself() {
    let world = World::new();
    let fleet = world.fleet.clone();
    let (sender, over) = channel();
    let shut_down = move |_| {
        let (fleet, sender) = (fleet.clone(), sender.clone());
        async move {
            fleet.shutdown().await;
            sender.send(()).unwrap();
        }
    };
    world.workers.configure_alerts(Alerts::new().on_degraded(shut_down)).unwrap();
    world.accept(plain("a"));
    world.pass(secs(2));
    told(&over);
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
