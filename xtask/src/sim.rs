//! The whole system in simulated time. What is simulated, and what is checked, is said in `xtask/sim`.

use std::path::PathBuf;
use std::process::Command;

use crate::outcome::Outcome;
use crate::program;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The network, for as many seeds from the first on, and the day beside them.
    Seeds { first: u64, seeds: u64 },
    /// The network for one seed, with all that is done in it.
    Seed(u64),
    /// A hundred thousand members through a day.
    Day,
}

/// Builds the simulation in release, and runs it.
pub(crate) fn run(part: Part) -> Outcome {
    let mut build = program::cargo();
    program::run(build.args(["build", "--release", "--quiet", "--package", "sim"]))?;
    match part {
        Part::Seeds { first, seeds } => {
            let mut day = simulation().arg("day").spawn()?;
            let (first, seeds) = (first.to_string(), seeds.to_string());
            let network = program::run(simulation().args(["net", "--first", &first, "--seeds", &seeds]));
            let day = day.wait()?;
            network?;
            if day.success() { Ok(()) } else { Err("the day failed: `cargo xtask sim --day` repeats it".into()) }
        }
        Part::Seed(seed) => program::run(simulation().args(["replay", &seed.to_string()])),
        Part::Day => program::run(simulation().arg("day")),
    }
}

fn simulation() -> Command {
    Command::new(target().join("release/sim"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| program::workspace_root().join("target"), PathBuf::from)
}
