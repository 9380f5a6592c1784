//! Installs the programs that some checks need beside Rust.

use std::process::{Command, Stdio};

use crate::outcome::Outcome;
use crate::program;

/// Each has a Debian package of its name.
const PROGRAMS: [&str; 3] = ["curl", "prometheus-alertmanager", "valgrind"];

pub(crate) fn run() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        eprintln!("setup: nothing to do ({} are here)", PROGRAMS.join(", "));
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
        Err(format!("apt-get succeeded, but these are not in PATH: {}", still_missing.join(", ")).into())
    }
}

fn missing() -> Vec<&'static str> {
    PROGRAMS.into_iter().filter(|name| program::find(name).is_none()).collect()
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
