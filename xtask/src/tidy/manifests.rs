//! Who may depend on whom, and where versions stand.

use toml::{Table, Value};

use super::Finding;
use crate::outcome::Outcome;

/// A package, what it must not depend on, and why. A name that ends in `*` stands for all that begin so.
const FORBIDDEN: [(&str, &[&str], &str); 4] = [
    ("heartbeat-sender", &["heartbeat-registry"], "sender and registry never depend on each other, not even in tests"),
    ("heartbeat-registry", &["heartbeat-sender"], "sender and registry never depend on each other, not even in tests"),
    (
        "heartbeat-contract",
        &["tokio*", "futures*", "async*", "reqwest", "axum"],
        "the contract has no async and no I/O",
    ),
    ("daemon-lifecycle", &["heartbeat-*"], "daemon-lifecycle stands alone"),
];

/// A package, and what only those of its users get who ask for it.
const OPTIONAL: [(&str, &str, &str); 2] = [
    ("heartbeat-sender", "daemon-lifecycle", "only its binary hears sd_notify, and shares what binaries share"),
    ("heartbeat-registry", "daemon-lifecycle", "only its probes and its binary need it"),
];

/// The features of binaries, which alone may turn on what binaries share.
const OF_BINARIES: [&str; 2] = ["cli", "server"];
const SHARED: [&str; 2] = ["program", "daemon-lifecycle/program"];

pub(super) fn check(path: &str, text: &str) -> Outcome<Vec<Finding>> {
    let Some(package) = path.strip_suffix("/Cargo.toml") else { return Ok(Vec::new()) };
    let manifest: Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
    let dependencies = dependencies(&manifest);
    let mut findings = forbidden(path, package, &dependencies);
    findings.extend(not_optional(path, package, &dependencies));
    findings.extend(own_versions(path, &dependencies));
    findings.extend(shared_with_libraries(path, &manifest));
    Ok(findings)
}

fn forbidden(path: &str, package: &str, dependencies: &[(&str, &Value)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, names, promise) in FORBIDDEN.iter().filter(|(from, ..)| *from == package) {
        let intruders = dependencies.iter().filter(|(name, _)| names.iter().any(|pattern| matches(pattern, name)));
        findings.extend(intruders.map(|(name, _)| Finding::of(path, format!("`{name}`: {promise}"))));
    }
    findings
}

fn not_optional(path: &str, package: &str, dependencies: &[(&str, &Value)]) -> Vec<Finding> {
    let is_optional = |value: &Value| value.get("optional").and_then(Value::as_bool) == Some(true);
    let mut findings = Vec::new();
    for (_, name, promise) in OPTIONAL.iter().filter(|(from, ..)| *from == package) {
        let always = dependencies.iter().filter(|(known, value)| known == name && !is_optional(value));
        findings.extend(always.map(|_| Finding::of(path, format!("`{name}` is not optional: {promise}"))));
    }
    findings
}

fn shared_with_libraries(path: &str, manifest: &Table) -> Vec<Finding> {
    let features = manifest.get("features").and_then(Value::as_table);
    let others = features.into_iter().flatten().filter(|(name, _)| !OF_BINARIES.contains(&name.as_str()));
    let turns_it_on = |value: &Value| value.as_str().is_some_and(|name| SHARED.contains(&name));
    let found = others.filter(|(_, needs)| needs.as_array().is_some_and(|needs| needs.iter().any(turns_it_on)));
    found.map(|(name, _)| Finding::of(path, format!("feature `{name}`: `program` is for binaries alone"))).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |begin| name.starts_with(begin))
}

fn own_versions(path: &str, dependencies: &[(&str, &Value)]) -> Vec<Finding> {
    let from_workspace = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    let own = dependencies.iter().filter(|(_, value)| !from_workspace(value));
    own.map(|(name, _)| Finding::of(path, format!("`{name}`: versions stand in the workspace's Cargo.toml"))).collect()
}

/// Every dependency of a package: normal, for tests, for its build script, and of one platform alone.
fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in platforms.chain([manifest]) {
        for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let list = table.get(key).and_then(Value::as_table);
            found.extend(list.into_iter().flatten().map(|(name, value)| (name.as_str(), value)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(package: &str, manifest: &str) -> Vec<String> {
        let findings = check(&format!("{package}/Cargo.toml"), manifest).unwrap();
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_forbidden_dependency_is_found_wherever_it_hides() {
        for table in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.build-dependencies"] {
            let manifest = format!("[{table}]\nheartbeat-registry.workspace = true\n");
            assert_eq!(found("heartbeat-sender", &manifest).len(), 1, "{table}");
            assert!(found("xtask", &manifest).is_empty(), "{table}");
        }
        assert_eq!(found("heartbeat-contract", "[dependencies]\ntokio-util.workspace = true\n").len(), 1);
        assert_eq!(found("daemon-lifecycle", "[dependencies]\nheartbeat-contract.workspace = true\n").len(), 1);
    }

    #[test]
    fn a_dependency_of_the_binary_that_everybody_gets_is_found() {
        let manifest = |value: &str| format!("[dependencies]\ndaemon-lifecycle = {value}\n");
        assert_eq!(found("heartbeat-sender", &manifest("{ workspace = true }")).len(), 1);
        assert!(found("heartbeat-sender", &manifest("{ workspace = true, optional = true }")).is_empty());
    }

    #[test]
    fn a_feature_of_a_library_that_turns_on_what_binaries_share_is_found() {
        let manifest = |feature: &str| format!("[features]\nprogram = []\n{feature} = [\"a\", \"program\"]\n");
        assert_eq!(found("daemon-lifecycle", &manifest("default")).len(), 1);
        assert!(found("daemon-lifecycle", &manifest("cli")).is_empty());
        assert_eq!(found("heartbeat-registry", "[features]\nhttp = [\"daemon-lifecycle/program\"]\n").len(), 1);
    }

    #[test]
    fn a_version_outside_the_workspace_manifest_is_found() {
        assert_eq!(found("xtask", "[dependencies]\nserde = \"1\"\n").len(), 1);
        assert_eq!(found("xtask", "[dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\n").len(), 1);
        assert!(found("xtask", "[dependencies]\nserde = { workspace = true, features = [\"derive\"] }\n").is_empty());
    }
}
