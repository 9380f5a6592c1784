//! Whether a registry that was stopped fails anyone who lived on. What is done, and how, is said in `xtask/stop`.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::program;

/// How many members live on, and for how long the registry is stopped.
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) members: usize,
    pub(crate) stop_for: Duration,
    /// Built for speed: thousands of members beat on the same cores.
    pub(crate) release: bool,
}

impl Stop {
    /// Short enough for every change.
    pub(crate) const QUICK: Self = Self { members: 1_000, stop_for: Duration::from_secs(6), release: false };
    pub(crate) const FULL: Self = Self { members: 10_000, stop_for: Duration::from_secs(30), release: true };
}

/// Builds the registry's binary and the program, which finds it beside itself, and runs that.
pub(crate) fn run(stop: Stop) -> Outcome {
    let profile = stop.release.then_some("--release");
    let mut build = program::cargo();
    build.arg("build").args(profile).args(["--package", "heartbeat-registry", "--package", "stop", "--bins"]);
    // The very features that the program's manifest names, so that the registry is not compiled twice.
    program::run(build.args(["--no-default-features", "--features", "heartbeat-registry/server"]))?;
    let mut play = program::cargo();
    play.arg("run").args(profile).args(["--quiet", "--package", "stop", "--", "run"]);
    play.args(["--members", &stop.members.to_string(), "--seconds", &stop.stop_for.as_secs().to_string()]);
    program::run(&mut play)
}
