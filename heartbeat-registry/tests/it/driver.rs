//! The driver on its own thread, by this machine's clock.

use std::time::Duration;

use heartbeat_registry::contract::{HealthState, Policy};
use heartbeat_registry::{FleetConfig, SubscriptionError, WorkerRegistry};

use crate::world::{every, millis, plain};

fn quick() -> WorkerRegistry {
    let policy = Policy { allowance: Some(Duration::ZERO), threshold: 2, ..Policy::every(millis(100)) };
    WorkerRegistry::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it happens within half a minute")
}

#[tokio::test]
async fn a_silent_member_fails_within_its_bound_on_the_virtual_clock() {
    let workers = quick();
    let mut transitions = workers.subscribe();
    workers.record(plain("a")).unwrap();
    loop {
        let transition = within(transitions.next()).await.unwrap();
        if transition.to == HealthState::Failed {
            let judged = transition.age - transition.credited;
            assert!(judged >= millis(199) && judged <= millis(201), "judged by {judged:?}");
            break;
        }
    }
}

#[tokio::test]
async fn a_nearer_deadline_wakes_a_driver_that_sleeps_longer() {
    let workers = WorkerRegistry::start(FleetConfig::default()).unwrap();
    let mut transitions = workers.subscribe();
    workers.record(plain("slow")).unwrap();
    workers.record(every(plain("quick"), millis(100))).unwrap();
    let first = within(transitions.next()).await.unwrap();
    assert_eq!((first.member.as_str(), first.to), ("quick", HealthState::Degraded));
    assert!(first.age - first.credited <= millis(126), "judged by {:?}", first.age - first.credited);
}

#[tokio::test]
async fn after_shutdown_subscriptions_end_and_nobody_is_judged() {
    let workers = quick();
    let mut transitions = workers.subscribe();
    workers.record(plain("a")).unwrap();
    within(workers.shutdown()).await;
    assert!(!workers.fleet().is_driven());
    while let Ok(transition) = within(transitions.next()).await {
        assert_ne!(transition.to, HealthState::Left);
    }
    assert_eq!(within(transitions.next()).await, Err(SubscriptionError::Closed));
}
