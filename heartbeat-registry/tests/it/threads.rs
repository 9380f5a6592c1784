//! Many threads at once: nothing hangs, and the books stay right.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use heartbeat_registry::contract::{EventBody, HealthState, Policy};
use heartbeat_registry::{Fleet, FleetConfig, MembersQuery, Outcome, SubscriptionError, WorkerRegistry};

use crate::world::{beat, goodbye, id, millis, plain};

/// Runs jobs side by side and fails if they have not all ended after a minute.
fn all_end(jobs: Vec<Box<dyn FnOnce() + Send>>) {
    let (ended, ends) = mpsc::channel();
    let count = jobs.len();
    for job in jobs {
        let ended = ended.clone();
        std::thread::spawn(move || {
            job();
            ended.send(()).unwrap();
        });
    }
    for _ in 0..count {
        ends.recv_timeout(Duration::from_mins(1)).expect("nothing hangs and nothing panics");
    }
}

#[test]
fn beats_reads_sweeps_and_new_handles_do_not_wait_for_each_other_for_ever() {
    let policy = Policy { allowance: Some(Duration::ZERO), ..Policy::every(millis(100)) };
    let fleet = Fleet::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap();
    let job = |work: fn(&Fleet, u64)| -> Box<dyn FnOnce() + Send> {
        let fleet = fleet.clone();
        Box::new(move || (0..3_000).for_each(|n| work(&fleet, n)))
    };
    all_end(vec![
        job(|fleet, n| drop(WorkerRegistry::new(fleet).record(beat(&format!("w{}", n % 50), n / 50, 0)))),
        job(|fleet, n| drop(WorkerRegistry::new(fleet).record(plain(&format!("x{}", n % 50))))),
        job(|fleet, n| drop(WorkerRegistry::new(fleet).view(&id(&format!("w{}", n % 50))))),
        job(|fleet, n| {
            if n % 30 == 0 {
                WorkerRegistry::new(fleet).page(&MembersQuery::default()).unwrap();
            }
        }),
        job(|fleet, n| {
            WorkerRegistry::new(fleet).stop_monitoring(&id(&format!("x{}", n % 50)));
        }),
    ]);
    let stats = fleet.stats().members;
    assert_eq!(stats.total, stats.healthy + stats.degraded + stats.critical + stats.failed + stats.left);
    assert_eq!(stats.total, WorkerRegistry::new(&fleet).page(&MembersQuery::default()).unwrap().members.len() as u64);
}

#[test]
fn a_goodbye_never_registers_a_member_that_is_being_forgotten() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let forgetting = {
        let (workers, done) = (workers.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                workers.stop_monitoring(&id("a"));
            }
        })
    };
    for n in 0..20_000 {
        workers.record(beat("a", n, 0)).unwrap();
        assert_ne!(workers.record(goodbye(beat("a", n, 1))).unwrap().outcome, Outcome::Registered);
    }
    done.store(true, Ordering::Relaxed);
    forgetting.join().unwrap();
    workers.stop_monitoring(&id("a"));
    assert_eq!(workers.stats().total, 0);
}

#[test]
fn the_cap_holds_however_many_register_at_once() {
    let workers = WorkerRegistry::start(FleetConfig { max_members: 100, ..FleetConfig::default() }).unwrap();
    let job = |thread: u32| -> Box<dyn FnOnce() + Send> {
        let workers = workers.clone();
        Box::new(move || (0..200).for_each(|n| drop(workers.record(plain(&format!("{thread}-{n}"))))))
    };
    all_end((0..4).map(job).collect());
    assert_eq!(workers.stats().total, 100);
}

#[tokio::test]
async fn subscriptions_end_with_the_last_handle_of_the_fleet() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let mut events = workers.fleet().subscribe();
    workers.record(plain("a")).unwrap();
    drop(workers);
    let next = tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap();
    assert_eq!(next.unwrap().body, EventBody::Registered {});
    let end = tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("it does not wait for ever");
    assert_eq!(end, Err(SubscriptionError::Closed));
}

/// Each deadline is a wake of its own; if every wake that is a little late were credited, the clock would crawl.
#[tokio::test]
async fn deadlines_close_together_do_not_slow_the_clock_down() {
    let policy = Policy { allowance: Some(Duration::ZERO), threshold: 2, ..Policy::every(millis(500)) };
    let workers = WorkerRegistry::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap();
    let mut transitions = workers.subscribe();
    let members = 1_000;
    for n in 0..members {
        workers.record(plain(&format!("w{n}"))).unwrap();
        if n % 4 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut failed = 0;
    while failed < members {
        let next = tokio::time::timeout(Duration::from_secs(60), transitions.next()).await.unwrap().unwrap();
        failed += u32::from(next.to == HealthState::Failed);
    }
    let stats = workers.fleet().stats();
    let share = stats.driver.credited_ms as f64 / stats.uptime_ms as f64;
    assert!(share < 0.5, "{} of {} ms were credited", stats.driver.credited_ms, stats.uptime_ms);
}
