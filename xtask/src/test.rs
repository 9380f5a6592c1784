//! Runs every test of the workspace and counts what was skipped.

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

use crate::outcome::Outcome;
use crate::{features, program};

/// What to make of tests that lack a program they need.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skips {
    Allowed,
    Forbidden,
}

pub(crate) fn run(skips: Skips) -> Outcome {
    let tally = run_and_count(&mut command()?)?;
    eprintln!("{tally}");
    if skips == Skips::Forbidden && tally.skipped > 0 {
        return Err(format!("{} skipped, and nothing may be: run `cargo xtask setup`", tally.skipped).into());
    }
    Ok(())
}

/// With every feature but TLS, which no test speaks and which takes minutes to build.
pub(crate) fn build() -> Outcome<Command> {
    let mut command = program::cargo();
    command.args(["test", "--workspace", "--features", &features::all_but(&["rustls"])?.join(",")]);
    Ok(command)
}

fn command() -> Outcome<Command> {
    let mut command = build()?;
    command.arg("--no-fail-fast");
    let color = if std::io::stdout().is_terminal() { "always" } else { "never" };
    command.args(["--", "--color", color]);
    Ok(command)
}

/// Runs the tests and passes on what they write, line by line.
fn run_and_count(command: &mut Command) -> Outcome<Tally> {
    let line = program::line(command);
    eprintln!("$ {line}");
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        tally.count(&line);
        println!("{line}");
    }
    let status = child.wait()?;
    if status.success() { Ok(tally) } else { Err(format!("`{line}` failed ({status})").into()) }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    suites: u32,
    passed: u32,
    skipped: u32,
}

impl Tally {
    /// Understands the closing line of a suite, `test result: ok. 12 passed; ..`, and the line by which a test says that
    /// it lacks a program, `skipped: curl not found (cargo xtask setup)`.
    fn count(&mut self, line: &str) {
        if line.contains("skipped: ") && line.ends_with(" not found (cargo xtask setup)") {
            self.skipped += 1;
        }
        let passed = line.split_once("test result: ").and_then(|(_, result)| passed(result)).unwrap_or(0);
        if passed > 0 {
            self.suites += 1;
            self.passed += passed;
        }
    }
}

fn passed(result: &str) -> Option<u32> {
    let (before, _) = result.split_once(" passed;")?;
    before.rsplit(' ').next()?.parse().ok()
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { suites, passed, skipped } = self;
        write!(f, "test: {passed} passed in {suites} suites, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.count(line));
        tally
    }

    #[test]
    fn suites_and_skips_are_counted_and_empty_suites_are_not() {
        let told = tally(&[
            "running 2 tests",
            "test late ... skipped: curl not found (cargo xtask setup)",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: \u{1b}[32mok\u{1b}[0m. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ]);
        assert_eq!(told, Tally { suites: 2, passed: 12, skipped: 1 });
        assert_eq!(told.to_string(), "test: 12 passed in 2 suites, 1 skipped");
    }

    #[test]
    fn only_the_agreed_line_counts_as_a_skip() {
        assert_eq!(tally(&["test a_member_is_skipped: yes", "skipped: curl"]).skipped, 0);
    }
}
