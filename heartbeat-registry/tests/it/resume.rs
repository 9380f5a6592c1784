//! Following events from where another reader got to.

use heartbeat_registry::contract::EventId;
use heartbeat_registry::{Events, FleetConfig, SubscriptionError};

use crate::world::{World, plain};

fn world(events: usize, kept: usize) -> World {
    let world = World::with(FleetConfig { events_kept: kept, ..FleetConfig::default() });
    for n in 0..events {
        world.accept(plain(&format!("worker-{n}")));
    }
    world
}

/// What is read, one after the other: numbers, or why there is none.
fn read(events: &mut Events) -> Vec<Result<u64, SubscriptionError>> {
    std::iter::from_fn(|| events.try_next().transpose().map(|next| next.map(|event| event.n))).collect()
}

fn at(text: &str) -> EventId {
    text.parse().unwrap()
}

#[test]
fn a_subscription_goes_on_where_another_ended() {
    let world = world(2, 100);
    let mut first = world.fleet.subscribe_from(&at("0"));
    assert_eq!(read(&mut first), [Ok(1), Ok(2)]);
    let position = first.position();
    world.accept(plain("later"));
    assert_eq!(read(&mut world.fleet.subscribe_from(&position)), [Ok(3)]);
    assert_eq!(world.fleet.subscribe().position().n, 3);
    assert_eq!(position.log, Some(world.fleet.stats().events.log));
}

#[test]
fn one_that_cannot_go_on_is_told_so_once_and_then_reads_all_that_is_kept() {
    let world = world(5, 3);
    let kept = [Err(SubscriptionError::Reset { oldest: 3, next: 6 }), Ok(3), Ok(4), Ok(5)];
    for (since, why) in [("1", "dropped"), ("0", "dropped"), ("6", "not given yet"), ("other-4", "of another log")] {
        let mut events = world.fleet.subscribe_from(&at(since));
        assert_eq!(events.position(), at(since), "what is {why} stays the position until that is told");
        assert_eq!(read(&mut events), kept, "{since} is {why}");
        assert_eq!(events.position().n, 5);
    }
    assert_eq!(read(&mut world.fleet.subscribe_from(&at("2"))), kept[1..], "nothing was missed");
    assert_eq!(read(&mut world.fleet.subscribe_from(&at("5"))), []);
}

#[test]
fn what_is_dropped_after_a_reset_was_told_is_told_as_missed() {
    let world = world(5, 3);
    let mut events = world.fleet.subscribe_from(&at("1"));
    assert_eq!(events.try_next(), Err(SubscriptionError::Reset { oldest: 3, next: 6 }));
    for n in 5..7 {
        world.accept(plain(&format!("worker-{n}")));
    }
    assert_eq!(read(&mut events), [Err(SubscriptionError::Missed(2)), Ok(5), Ok(6), Ok(7)]);
}

#[tokio::test]
async fn a_reset_is_told_also_where_nothing_follows() {
    let world = world(0, 3);
    let mut events = world.fleet.subscribe_from(&at("other-4"));
    world.fleet.shutdown().await;
    assert_eq!(events.next().await, Err(SubscriptionError::Reset { oldest: 1, next: 1 }));
    assert_eq!(events.next().await, Err(SubscriptionError::Closed));
}
