//! A hundred sweeps over a fleet in which nobody is due, for counting instructions:
//! `valgrind --tool=callgrind --toggle-collect='*idle_sweeps*' idle_sweep MEMBERS`.

use std::time::Duration;

use heartbeat_registry::contract::{MemberId, Policy, WorkerHeartbeat};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock, WorkerRegistry};

fn main() {
    let members = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000);
    let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
    let policy = Policy::every(Duration::from_secs(3600));
    let config = FleetConfig { max_members: members, policy, seed: Some(7), ..FleetConfig::default() };
    let fleet = Fleet::new(config, clock.clone()).expect("the settings are within their limits");
    let workers = WorkerRegistry::new(&fleet);
    for n in 0..members {
        let id = MemberId::new(format!("worker-{n}")).expect("letters and digits make an id");
        workers.record(WorkerHeartbeat::new(id)).expect("there is room");
    }
    fleet.sweep();
    idle_sweeps(&fleet, &clock);
    println!("{:?}", fleet.stats().members);
}

#[inline(never)]
fn idle_sweeps(fleet: &Fleet, clock: &ManualClock) {
    for _ in 0..100 {
        clock.advance(Duration::from_millis(250));
        fleet.sweep();
    }
}
