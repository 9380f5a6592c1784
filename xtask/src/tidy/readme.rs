//! Commands that the README promises.

use super::Finding;

/// Every `cargo xtask TASK` that names no task, and every `--bin NAME` or `--example NAME` without a file.
pub(super) fn unknown_commands(text: &str, tasks: &[String], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut missing = |what| findings.push(Finding::at("README.md", index + 1, what));
        for task in words_after(line, "cargo xtask ").filter(|task| !tasks.iter().any(|known| known == task)) {
            missing(format!("`cargo xtask {task}`: no such task"));
        }
        for (flag, folder) in [("--bin ", "src/bin"), ("--example ", "examples")] {
            for name in words_after(line, flag) {
                let homes =
                    ["daemon-lifecycle", "examples", "heartbeat-contract", "heartbeat-registry", "heartbeat-sender"];
                let mut paths = homes
                    .iter()
                    .flat_map(|home| [format!("{home}/{folder}/{name}.rs"), format!("{home}/{folder}/{name}/main.rs")]);
                if !paths.any(|path| exists(&path)) {
                    missing(format!("`{flag}{name}`: no such program"));
                }
            }
        }
    }
    findings
}

fn words_after<'a>(line: &'a str, lead: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(lead).map(move |(at, _)| {
        let rest = &line[at + lead.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Option<usize>> {
        let tasks = ["demo".to_owned(), "test".to_owned()];
        let exists = |path: &str| path == "examples/src/bin/worker.rs";
        unknown_commands(text, &tasks, exists).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        assert!(
            found("`cargo xtask demo` and `cargo xtask test`\ncargo run -p examples --bin worker -- --id a").is_empty()
        );
        assert_eq!(found("\n`cargo xtask dance`"), [Some(2)]);
        assert_eq!(found("cargo run -p examples --bin wrker"), [Some(1)]);
    }
}
