//! Whether tests notice when the contract or the core is broken, one place after the other: see `.cargo/mutants.toml`.

use crate::outcome::Outcome;
use crate::program;

/// Breaks every place, or those of one shard, as `2/8` names the third of eight.
pub(crate) fn run(shard: Option<&str>) -> Outcome {
    if program::find("cargo-mutants").is_none() {
        return Err("cargo-mutants is not installed; run\n  cargo install cargo-mutants --locked".into());
    }
    let mut mutants = program::cargo();
    mutants.args(["mutants", "--no-shuffle", "--colors", "never"]);
    if let Some(shard) = shard {
        mutants.args(["--shard", shard]);
    }
    program::run(&mut mutants)
}
