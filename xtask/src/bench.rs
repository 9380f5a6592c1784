//! How fast the registry takes beats, beside references. What is measured, and how, is said in `xtask/bench`.

use crate::outcome::Outcome;
use crate::program;

/// Builds the registry's binary and the bench, which finds it beside itself, and measures.
pub(crate) fn run(quick: bool) -> Outcome {
    let mut build = program::cargo();
    build.args(["build", "--release", "--package", "heartbeat-registry", "--features", "heartbeat-registry/server"]);
    program::run(build.args(["--package", "bench", "--bins"]))?;
    let mut bench = program::cargo();
    bench.args(["run", "--release", "--quiet", "--package", "bench", "--", "run"]).args(quick.then_some("--quick"));
    program::run(&mut bench)
}
