//! Instructions, counted by callgrind: repeatable on a machine that is busy with other things.

use std::path::{Path, PathBuf};

use crate::outcome::Outcome;
use crate::program;

/// How much two counts may differ, in parts of a hundred.
const TOLERANCE: u64 = 1;
const FEW: &str = "1000";
/// Enough to tell work per member from none, and registered in seconds also under callgrind.
const MANY: &str = "100000";
const A_MILLION: &str = "1000000";

/// Both counts that the design promises something about.
pub(crate) fn run() -> Outcome {
    idle_sweep(MANY)?;
    token_check()
}

/// The same for a million members, who take minutes to register under callgrind.
pub(crate) fn a_million() -> Outcome {
    idle_sweep(A_MILLION)
}

/// A sweep in which nobody is due takes the same instructions with a few members as with many.
fn idle_sweep(many: &str) -> Outcome {
    let bench = Bench { name: "idle_sweep", features: &[], counted: "*idle_sweeps*" };
    let program = bench.build()?;
    let (least, most) = (bench.count(&program, FEW)?, bench.count(&program, many)?);
    eprintln!("100 idle sweeps: {least} instructions with {FEW} members, {most} with {many}");
    alike(least, most)
}

/// A wrong token takes the same instructions as a right one, and a right one the same wherever it stands.
fn token_check() -> Outcome {
    let bench = Bench { name: "token_check", features: &["--features", "http"], counted: "*token_checks*" };
    let program = bench.build()?;
    let [first, last, wrong] = ["first", "last", "wrong"].map(|token| bench.count(&program, token));
    let (first, last, wrong) = (first?, last?, wrong?);
    eprintln!(
        "100 checks among 100 tokens: {first} instructions for the first, {last} for the last, {wrong} for a wrong one"
    );
    alike(first, last)?;
    alike(first, wrong)
}

fn alike(one: u64, other: u64) -> Outcome {
    if one.abs_diff(other) * 100 > one * TOLERANCE {
        return Err(format!("{one} and {other} instructions differ by more than {TOLERANCE} %").into());
    }
    Ok(())
}

/// A program of heartbeat-registry whose instructions within one function are counted.
struct Bench {
    name: &'static str,
    features: &'static [&'static str],
    /// The function, as callgrind's pattern.
    counted: &'static str,
}

impl Bench {
    fn build(&self) -> Outcome<PathBuf> {
        let mut cargo = program::cargo();
        cargo.args(["build", "--package", "heartbeat-registry", "--no-default-features", "--bench", self.name]);
        cargo.args(self.features).args(["--message-format", "json-render-diagnostics"]);
        let told = program::output(&mut cargo)?;
        let artifacts = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == self.name);
        let program = programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
        program.ok_or_else(|| format!("cargo built no {}", self.name).into())
    }

    fn count(&self, program: &Path, argument: &str) -> Outcome<u64> {
        let mut valgrind = std::process::Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(format!("--toggle-collect={}", self.counted));
        let ended = valgrind.arg(program).arg(argument).output();
        let ended = ended.map_err(|error| format!("valgrind cannot be run ({error}): cargo xtask setup"))?;
        let told = String::from_utf8_lossy(&ended.stderr);
        collected(&told).ok_or_else(|| format!("valgrind told no count:\n{told}").into())
    }
}

/// The count in callgrind's line `==12018== Collected : 9097419`. None were counted if no function has the name.
fn collected(told: &str) -> Option<u64> {
    let count = told.lines().find_map(|line| line.split_once("Collected : "))?.1;
    count.trim().parse().ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_differ_by_a_hundredth() {
        assert!(alike(1_000, 1_010).is_ok() && alike(1_010, 1_000).is_ok());
        assert!(alike(1_000, 1_011).is_err() && alike(1_000, 989).is_err());
    }

    #[test]
    fn the_count_is_read_from_what_callgrind_tells() {
        assert_eq!(collected("==1== Events : Ir\n==1== Collected : 9097419\n==1==\n"), Some(9_097_419));
        assert_eq!(collected("==1== Collected : \n"), None);
        assert_eq!(collected("==1== Collected : 0\n"), None);
    }
}
