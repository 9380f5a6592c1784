//! The real router and the real sender loop over a simulated network, with a nemesis.

mod gate;
mod machine;
mod odd;
mod plan;
mod queen;
mod time;
mod wire;
mod world;

use std::time::Duration;

use self::world::World;
use crate::check::Violation;

/// How long everyone is given to recover once nothing is wrong any more.
const RECOVERY: Duration = Duration::from_secs(45);
/// The longest that a silence may take to end as failed: the longest bound, twice for the adaptive detector, and holds.
const LAST_VERDICT: Duration = Duration::from_secs(400);

/// What came of one simulation.
pub(crate) struct Ended {
    /// Every event of every life of the registry, as JSON lines.
    pub(crate) log: String,
    /// How much time has been simulated.
    pub(crate) simulated: Duration,
    pub(crate) violations: Vec<Violation>,
}

/// Simulates what a seed draws.
pub(crate) fn simulate(seed: u64, tells: bool) -> Ended {
    let mut world = World::new(seed, tells);
    let failure = play(&mut world, tells).err();
    let (log, mut violations) = world.queen.end();
    if let Some(error) = failure {
        violations.push(Violation { promise: "running", at: world.time.now(), what: error.to_string() });
    }
    Ended { log, simulated: world.time.now(), violations }
}

fn play(world: &mut World, tells: bool) -> turmoil::Result {
    if tells {
        for member in &world.plan.members {
            println!("{member:?}");
        }
        println!("{:?}", world.plan.setup);
    }
    let deeds = std::mem::take(&mut world.plan.deeds);
    for (at, deed) in deeds {
        while world.time.now() < at {
            world.step()?;
        }
        if tells {
            println!("{:>9.3} s  {deed:?}", at.as_secs_f64());
        }
        world.apply(&deed);
        if world.queen.has_violations() {
            return Ok(());
        }
    }
    while world.time.now() < world.plan.until {
        world.step()?;
    }
    world.heal();
    world.pass(RECOVERY)?;
    world.restart_those_refused();
    world.pass(RECOVERY)?;
    let latest = world.time.now() + LAST_VERDICT;
    while !world.queen.is_settled() && world.time.now() < latest {
        world.step()?;
    }
    world.settle();
    Ok(())
}
