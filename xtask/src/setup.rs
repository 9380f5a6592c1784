//! Installs the programs that some checks need beside Rust.

use std::process::{Command, Stdio};

use crate::outcome::Outcome;
use crate::program;

/// Each with the Debian package that has it.
const PROGRAMS: [(&str, &str); 5] = [
    ("curl", "curl"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("python3", "python3"),
    ("systemd-notify", "systemd"),
    ("valgrind", "valgrind"),
];

pub(crate) fn run() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        eprintln!("setup: nothing to do ({} are here)", PROGRAMS.map(|(name, _)| name).join(", "));
        return Ok(());
    }
    if program::find("apt-get").is_none() || !is_root() {
        return Err(format!("not installed, for want of root and apt-get; run\n  {}", by_hand(&missing)).into());
    }
    program::run(apt_get().arg("update"))?;
    program::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing))?;
    let still_missing = self::missing();
    if still_missing.is_empty() {
        Ok(())
    } else {
        Err(format!("apt-get succeeded, but programs of these are not in PATH: {}", still_missing.join(", ")).into())
    }
}

/// The packages of those that are not in `PATH`.
fn missing() -> Vec<&'static str> {
    let missing = PROGRAMS.into_iter().filter(|(name, _)| program::find(name).is_none());
    missing.map(|(_, package)| package).collect()
}

fn by_hand(missing: &[&str]) -> String {
    format!("sudo apt-get install --yes {}", missing.join(" "))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    let id = program::output(Command::new("id").arg("-u"));
    id.is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_run_names_only_what_is_missing() {
        assert_eq!(by_hand(&["valgrind"]), "sudo apt-get install --yes valgrind");
    }
}
