//! What the binaries share is for them alone: no library of ours builds on it.

use super::Finding;

const SHARED: [&str; 2] = ["daemon_lifecycle::program", "crate::program"];
const HOME: &str = "daemon-lifecycle/src/program";

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_library = path.contains("/src/") && !path.contains("/src/bin/") && !path.contains("/src/cli/");
    // xtask has a module of this name.
    if !is_library || path.starts_with(HOME) || path.starts_with("xtask/") {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    let intruders = lines.filter(|(_, line)| SHARED.iter().any(|name| line.contains(name)));
    intruders.map(|(index, _)| Finding::at(path, index + 1, "`program` is for binaries alone")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_uses_what_is_for_binaries_is_found() {
        let text = "\nuse daemon_lifecycle::program::Failed;\n";
        assert_eq!(check("heartbeat-registry/src/client/mod.rs", text)[0].line, Some(2));
        assert_eq!(check("daemon-lifecycle/src/probe.rs", "crate::program::duration::parse").len(), 1);
        for binary in ["heartbeat-registry/src/cli/read.rs", "daemon-lifecycle/src/bin/daemon-lifecycle/main.rs"] {
            assert!(check(binary, text).is_empty(), "{binary}");
        }
        assert!(check("daemon-lifecycle/src/program/arguments/tests.rs", "use crate::program::Output;").is_empty());
    }
}
