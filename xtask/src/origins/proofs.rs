//! Runs the tests that the table names, exactly these, from the programs that `cargo xtask test` builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::{program, test};

/// What cargo built for the tests of the workspace.
pub(super) struct Programs {
    tests: Vec<Built>,
    binaries: Vec<Built>,
}

struct Built {
    package: String,
    /// Where the package is, as the working folder of its tests.
    folder: PathBuf,
    executable: PathBuf,
}

impl Programs {
    pub(super) fn build() -> Outcome<Self> {
        let mut cargo = test::build()?;
        cargo.args(["--no-run", "--message-format", "json-render-diagnostics"]);
        eprintln!("$ {}", program::line(&cargo));
        Ok(Self::told(&program::output(&mut cargo)?))
    }

    fn told(messages: &str) -> Self {
        let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let (mut tests, mut binaries) = (Vec::new(), Vec::new());
        for message in messages {
            let Some(built) = Built::told(&message) else { continue };
            if message["profile"]["test"] == true { tests.push(built) } else { binaries.push(built) }
        }
        Self { tests, binaries }
    }

    /// Runs tests given as `package::path::of::test`, and says which of them did not pass.
    pub(super) fn run(&self, names: &BTreeSet<&str>) -> Outcome<BTreeMap<String, &'static str>> {
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in names {
            let (package, test) = name.split_once("::").unwrap_or((name, ""));
            wanted.entry(package).or_default().push(test);
        }
        let mut complaints: BTreeMap<String, &'static str> =
            names.iter().map(|name| ((*name).to_owned(), "no such test ran")).collect();
        for built in &self.tests {
            let Some(tests) = wanted.get(built.package.as_str()) else { continue };
            let told = built.run(tests)?;
            for (test, ended) in verdicts(&told) {
                let name = format!("{}::{test}", built.package);
                match ended {
                    "ok" => drop(complaints.remove(&name)),
                    _ => drop(complaints.insert(name, "it does not pass")),
                }
            }
            if told.contains("\nfailures:\n") {
                eprintln!("{told}");
            }
        }
        Ok(complaints)
    }

    /// Whether there is a program of this name.
    pub(super) fn has(&self, program: &str) -> bool {
        self.binary(program).is_some()
    }

    /// Whether a program has a command.
    pub(super) fn has_command(&self, program: &str, command: &str) -> Outcome<bool> {
        let Some(built) = self.binary(program) else { return Ok(false) };
        Ok(Command::new(&built.executable).args([command, "--help"]).output()?.status.success())
    }

    fn binary(&self, name: &str) -> Option<&Built> {
        self.binaries.iter().find(|built| built.executable.file_stem().is_some_and(|stem| stem == name))
    }
}

impl Built {
    /// Understands cargo's message of a program that it built.
    fn told(message: &Value) -> Option<Self> {
        let executable = message["executable"].as_str()?.into();
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
        let package = folder.file_name()?.to_str()?.to_owned();
        Some(Self { package, folder, executable })
    }

    fn run(&self, tests: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.executable);
        let told = command.args(["--exact", "--color", "never"]).args(tests).current_dir(&self.folder).output()?;
        Ok(String::from_utf8_lossy(&told.stdout).into_owned())
    }
}

/// The tests of `test fleet::a_goodbye ... ok` and its like, and how they ended.
fn verdicts(told: &str) -> impl Iterator<Item = (&str, &str)> {
    told.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_each_test_ended_is_read_from_what_it_tells() {
        let told =
            "running 2 tests\ntest a::b ... ok\ntest c - should panic ... FAILED\n\ntest result: FAILED. 1 passed\n";
        assert_eq!(verdicts(told).collect::<Vec<_>>(), [("a::b", "ok"), ("c - should panic", "FAILED")]);
    }

    #[test]
    fn tests_and_programs_are_told_apart() {
        let built = Programs::told(concat!(
            r#"{"executable":"/t/it-1","manifest_path":"/w/a/Cargo.toml","profile":{"test":true}}"#,
            "\n",
            r#"{"executable":"/t/a","manifest_path":"/w/a/Cargo.toml","profile":{"test":false}}"#,
            "\n",
            r#"{"executable":null,"manifest_path":"/w/a/Cargo.toml","profile":{"test":false}}"#,
            "\nnot JSON\n",
        ));
        assert_eq!((built.tests.len(), built.binaries.len()), (1, 1));
        assert_eq!((built.tests[0].package.as_str(), built.tests[0].folder.as_path()), ("a", Path::new("/w/a")));
    }

    #[test]
    fn a_test_that_does_not_exist_is_not_taken_for_passed() {
        let executable = std::env::current_exe().unwrap();
        let folder = program::workspace_root().join("xtask");
        let this =
            Programs { tests: vec![Built { package: "xtask".to_owned(), folder, executable }], binaries: Vec::new() };
        let exists = "xtask::origins::proofs::tests::tests_and_programs_are_told_apart";
        let names = BTreeSet::from([exists, "xtask::tests_and_programs_are_told_apart", "elsewhere::a", "xtask"]);
        let complaints = this.run(&names).unwrap();
        assert_eq!(
            complaints.keys().collect::<Vec<_>>(),
            ["elsewhere::a", "xtask", "xtask::tests_and_programs_are_told_apart"]
        );
    }
}
