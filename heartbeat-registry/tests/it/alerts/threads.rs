//! Nobody waits for a callback, whatever it does, and none outlives its fleet.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use heartbeat_registry::contract::{HealthState, Policy};
use heartbeat_registry::{Alert, Alerts, Fleet, FleetConfig, WorkerRegistry};

use super::{LONG, Told, block_on, pass_on, stats_at_the_end, told};
use crate::world::{World, id, millis, plain, secs};

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
    for _ in 0..3 {
        world.accept(plain("a"));
        world.pass(secs(2));
    }
    drop(go_on);
    let numbers = [told(&begun), told(&begun), told(&begun), told(&begun)];
    assert_eq!((numbers, alerts.stats().missed), ([5, 6, 7, 8], 2));
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
fn alerts_that_are_stopped_during_a_call_tell_nothing_after_it() {
    let world = World::new();
    let (begins, begun) = channel();
    let (go_on, blocks) = channel::<()>();
    let alerts = Alerts::new().on_transition(move |_| {
        begins.send(()).unwrap();
        blocks.recv().unwrap_or(());
    });
    let alerts = world.workers.configure_alerts(alerts).unwrap();
    world.accept(plain("a"));
    world.pass(secs(4));
    told(&begun);
    alerts.stop();
    drop(go_on);
    assert_eq!(stats_at_the_end(&alerts).told, 1);
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
