//! How fast the registry takes beats, beside references. What is measured, and how, is said in `xtask/bench`.

use crate::outcome::Outcome;
use crate::program;

/// Builds the registry's binary and the bench, which finds it beside itself, and measures.
pub(crate) fn run(quick: bool) -> Outcome {
    let mut build = program::cargo();
    build.args(["build", "--release", "--package", "heartbeat-registry", "--package", "bench", "--bins"]);
    // The very features that the bench's manifest names, so that the registry is not compiled twice.
    program::run(build.args(["--no-default-features", "--features", "heartbeat-registry/server"]))?;
    let mut bench = program::cargo();
    bench.args(["run", "--release", "--quiet", "--package", "bench", "--", "run"]).args(quick.then_some("--quick"));
    program::run(&mut bench)
}
