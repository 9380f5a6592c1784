//! Whether tests notice when the contract or the core is broken, one place after the other: see `.cargo/mutants.toml`.

use crate::outcome::Outcome;
use crate::program;

pub(crate) fn run() -> Outcome {
    if program::find("cargo-mutants").is_none() {
        return Err("cargo-mutants is not installed; run\n  cargo install cargo-mutants --locked".into());
    }
    program::run(program::cargo().args(["mutants", "--no-shuffle", "--colors", "never"]))
}
