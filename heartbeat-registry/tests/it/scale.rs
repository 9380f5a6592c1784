//! A million members.

use std::collections::HashSet;

use heartbeat_registry::contract::{MemberId, Policy, WorkerHeartbeat};
use heartbeat_registry::{FleetConfig, MembersQuery};

use crate::world::{World, millis, secs};

const MILLION: usize = 1_000_000;

fn world_of(members: usize) -> World {
    let config = FleetConfig { max_members: MILLION, policy: Policy::every(secs(30)), ..FleetConfig::default() };
    let world = World::with(config);
    for n in 0..members {
        world.accept(WorkerHeartbeat::new(MemberId::new(format!("worker-{n}")).unwrap()));
    }
    world
}

#[test]
fn a_million_members_register_and_are_listed_page_by_page() {
    let world = world_of(MILLION);
    assert_eq!(world.workers.stats().healthy, MILLION as u64);
    let mut seen = HashSet::with_capacity(MILLION);
    let mut query = MembersQuery { limit: Some(MembersQuery::MAX_LIMIT), ..MembersQuery::default() };
    loop {
        let page = world.workers.page(&query).unwrap();
        assert_eq!(page.total, Some(MILLION as u64));
        for member in page.members {
            assert!(seen.insert(member.id), "a member shows twice");
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), MILLION);
}

#[test]
fn an_idle_sweep_looks_at_nobody_however_many_there_are() {
    let [few, many] = [1_000, MILLION].map(|members| {
        let world = world_of(members);
        let before = world.fleet.stats().driver;
        world.pass(secs(30) + millis(1));
        let after = world.fleet.stats().driver;
        assert_eq!(world.workers.stats().healthy, members as u64);
        (after.sweeps - before.sweeps, after.looked_at - before.looked_at)
    });
    assert_eq!(few, many);
    assert_eq!(few.1, 0);
}
