//! The programs that take part, built for all to see.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::program;

/// Where each program is.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) registry: PathBuf,
    pub(super) hive: PathBuf,
    pub(super) worker: PathBuf,
}

impl Programs {
    /// Builds them. Cargo shows its progress, and tells where they are.
    pub(super) fn build() -> Outcome<Self> {
        let mut build = program::cargo();
        build.args(["build", "--package", "heartbeat-registry", "--package", "examples", "--bins"]);
        // The very features that xtask's manifest names, so that the registry is not compiled twice.
        build.args(["--no-default-features", "--features", "heartbeat-registry/server"]);
        eprintln!("$ {}", program::line(&build));
        let output = build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("the programs for the demo could not be built".into());
        }
        Self::among(&String::from_utf8(output.stdout)?)
    }

    fn among(messages: &str) -> Outcome<Self> {
        let executables: Vec<PathBuf> = messages.lines().filter_map(executable).collect();
        let find = |name: &str| {
            let found = executables.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
            found.cloned().ok_or_else(|| format!("cargo built no program named {name}"))
        };
        Ok(Self { registry: find("heartbeat-registry")?, hive: find("hive")?, worker: find("worker")? })
    }
}

fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["executable"].as_str().map(|path| Path::new(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/t/debug/heartbeat-registry"}
{"reason":"compiler-artifact","executable":"/t/debug/hive"}
not json
{"reason":"compiler-artifact","executable":"/t/debug/worker"}"#;

    #[test]
    fn programs_are_where_cargo_says() {
        assert_eq!(Programs::among(MESSAGES).unwrap().worker, Path::new("/t/debug/worker"));
        let without_worker = MESSAGES.rsplit_once('\n').unwrap().0;
        assert_eq!(Programs::among(without_worker).unwrap_err().to_string(), "cargo built no program named worker");
    }
}
