//! Instructions, counted by callgrind: repeatable on a machine that is busy with other things.

use std::path::PathBuf;

use crate::outcome::Outcome;
use crate::program;

/// How much two counts may differ, in parts of a hundred.
const TOLERANCE: u64 = 1;
const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;

/// A sweep in which nobody is due takes the same instructions with a thousand members as with a million.
pub(crate) fn idle_sweep() -> Outcome {
    let bench = build()?;
    let (least, most) = (count(&bench, FEW)?, count(&bench, MANY)?);
    eprintln!("100 idle sweeps: {least} instructions with {FEW} members, {most} with {MANY}");
    if least.abs_diff(most) * 100 > least * TOLERANCE {
        return Err(format!("the counts differ by more than {TOLERANCE} %").into());
    }
    Ok(())
}

fn build() -> Outcome<PathBuf> {
    let mut cargo = program::cargo();
    cargo.args(["build", "--package", "heartbeat-registry", "--no-default-features", "--bench", "idle_sweep"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let told = program::output(&mut cargo)?;
    let artifacts = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == "idle_sweep");
    let program = programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    program.ok_or_else(|| "cargo built no idle_sweep".into())
}

fn count(bench: &PathBuf, members: u32) -> Outcome<u64> {
    let mut valgrind = std::process::Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*idle_sweeps*"]);
    let ended = valgrind.arg(bench).arg(members.to_string()).output();
    let ended = ended.map_err(|error| format!("valgrind cannot be run ({error}): cargo xtask setup"))?;
    let told = String::from_utf8_lossy(&ended.stderr);
    collected(&told).ok_or_else(|| format!("valgrind told no count:\n{told}").into())
}

/// The count in callgrind's line `==12018== Collected : 9097419`.
fn collected(told: &str) -> Option<u64> {
    let count = told.lines().find_map(|line| line.split_once("Collected : "))?.1;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_callgrind_tells() {
        assert_eq!(collected("==1== Events : Ir\n==1== Collected : 9097419\n==1==\n"), Some(9_097_419));
        assert_eq!(collected("==1== Collected : \n"), None);
    }
}
