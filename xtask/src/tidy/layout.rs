//! What may stand at the top of the workspace.

use super::Finding;
use super::tree::Entry;

const FOLDERS: [&str; 7] =
    ["daemon-lifecycle", "examples", "heartbeat-contract", "heartbeat-registry", "heartbeat-sender", "target", "xtask"];
const FILES: [&str; 12] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

pub(super) fn strangers(top: &[Entry]) -> Vec<Finding> {
    let is_known = |entry: &Entry| {
        let known: &[&str] = if entry.is_folder { &FOLDERS } else { &FILES };
        entry.name.starts_with('.') || known.contains(&entry.name.as_str())
    };
    let strangers = top.iter().filter(|entry| !is_known(entry));
    strangers.map(|entry| Finding::of(&entry.name, "does not belong at the top of the workspace")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_folder_or_file_at_the_top_is_found() {
        let entry = |name: &str, is_folder| Entry { name: name.to_owned(), is_folder };
        let top = [entry("xtask", true), entry(".git", true), entry("README.md", false)];
        assert_eq!(strangers(&top), []);
        let top = [entry("docs", true), entry("notes.md", false), entry("xtask", false)];
        assert_eq!(strangers(&top).len(), 3);
    }
}
