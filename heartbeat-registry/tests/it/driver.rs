//! The driver on its own thread, by this machine's clock.

use std::time::Duration;

use heartbeat_registry::contract::{HealthState, Policy};
use heartbeat_registry::{Clock, Fleet, FleetConfig, SubscriptionError, WorkerRegistry};

use crate::world::{dawn, every, millis, plain};

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

/// tokio's clock, which stands still while there is something to do.
struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> jiff::Timestamp {
        dawn() + self.monotonic()
    }
}

#[tokio::test(start_paused = true)]
async fn a_nearer_deadline_wakes_a_driver_that_sleeps_longer() {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the fleet is injected with")]
    let clock = PausedClock(tokio::time::Instant::now());
    let fleet = Fleet::new(FleetConfig::default(), clock).unwrap();
    let workers = WorkerRegistry::new(&fleet);
    let mut transitions = workers.subscribe();
    workers.record(plain("slow")).unwrap();
    let driving = fleet.drive(async {
        // The driver sleeps for a quarter of a second by now.
        tokio::time::sleep(millis(10)).await;
        workers.record(every(plain("quick"), millis(100))).unwrap();
        let first = transitions.next().await.unwrap();
        assert_eq!((first.member.as_str(), first.to), ("quick", HealthState::Degraded));
        assert_eq!((first.age, first.credited), (millis(125), Duration::ZERO));
    });
    driving.await;
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
