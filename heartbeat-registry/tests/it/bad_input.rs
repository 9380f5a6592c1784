//! What no proper member sends, and what clocks do that are not right: nobody fails of it, and it is told why.

use heartbeat_registry::contract::HealthState;

use crate::world::{World, beat, every, id, millis, secs};

#[test]
fn an_announced_member_is_judged_by_the_interval_of_its_first_beat_from_that_beat_on() {
    let world = World::with(heartbeat_registry::FleetConfig::default());
    world.workers.start_monitoring(&id("a"), heartbeat_registry::contract::Policy::default()).unwrap();
    world.pass(secs(10));
    world.accept(every(beat("a", 1, 0), secs(1)));
    assert_eq!(world.workers.view(&id("a")).unwrap().policy.interval, secs(1));
    world.pass(millis(3_251));
    assert_eq!(world.state("a"), HealthState::Failed);
}
