//! What may come in from outside: licences, sources, banned crates and second versions, by `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use toml::Table;

use crate::licence;
use crate::outcome::Outcome;
use crate::program;

/// By cargo-deny where it is installed; otherwise, since building it takes minutes, by what `cargo tree` tells.
/// Advisories are for the public workflow: they need cargo-deny and the network.
pub(crate) fn run() -> Outcome {
    if program::find("cargo-deny").is_some() {
        return program::run(program::cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]));
    }
    let rules = Rules::read(&std::fs::read_to_string(program::workspace_root().join("deny.toml"))?)?;
    let packages = packages(&program::output(&mut every_package())?)?;
    let complaints = rules.complaints(&packages);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => {
            eprintln!("deny: {} packages, nothing found (without cargo-deny: advisories not checked)", packages.len());
            Ok(())
        }
        count => Err(format!("deny.toml forbids {count} things").into()),
    }
}

/// What counts of a package.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    /// Where it comes from, unless that is crates.io.
    source: Option<String>,
}

/// Lists the packages that some feature, on some platform, really uses. `cargo metadata` lists more.
fn every_package() -> Command {
    let mut command = program::cargo();
    command.args([
        "tree",
        "--quiet",
        "--workspace",
        "--all-features",
        "--target",
        "all",
        "--edges",
        "normal,build,dev",
    ]);
    command.args(["--locked", "--prefix", "none", "--format", "{p}|{l}"]);
    command
}

/// Reads lines such as `syn v3.0.9|MIT OR Apache-2.0` and `a v1.0.0 (https://example.org/a)|MIT`; the marks
/// `(proc-macro)` and `(*)` say nothing of a source.
fn packages(tree: &str) -> Outcome<BTreeSet<Package>> {
    let read = |line: &str| {
        let (package, licence) = line.split_once('|')?;
        let (name, rest) = package.split_once(" v")?;
        let (version, marks) = rest.split_once(' ').unwrap_or((rest, ""));
        let source = marks.trim_start_matches("(proc-macro)").trim().trim_matches(['(', ')']);
        let source = (!source.is_empty()).then(|| source.to_owned());
        let (version, licence) = (version.to_owned(), licence.trim_end_matches(" (*)").to_owned());
        Some(Package { name: name.to_owned(), version, licence, source })
    };
    let lines = tree.lines().filter(|line| !line.is_empty());
    lines.map(|line| read(line).ok_or_else(|| format!("cargo tree tells something else: {line}").into())).collect()
}

/// What `deny.toml` says.
#[derive(Debug, Default)]
struct Rules {
    licences: Vec<String>,
    banned: Vec<Entry>,
    skipped: Vec<Entry>,
}

/// A crate, or the versions of it that begin so.
#[derive(Debug)]
struct Entry {
    name: String,
    version: Option<String>,
    reason: String,
}

impl Rules {
    fn read(text: &str) -> Outcome<Self> {
        let table: Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| {
            let list = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            list.ok_or_else(|| format!("deny.toml: no list `{key}` in [{section}]"))
        };
        let entries = |key| list("bans", key)?.iter().map(Entry::read).collect::<Outcome<Vec<_>>>();
        let licences = list("licenses", "allow")?.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect();
        Ok(Self { licences, banned: entries("deny")?, skipped: entries("skip")? })
    }

    fn complaints(&self, packages: &BTreeSet<Package>) -> Vec<String> {
        let mut complaints = Vec::new();
        let allowed: Vec<&str> = self.licences.iter().map(String::as_str).collect();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages {
            let Package { name, version, licence, source } = package;
            if !licence::is_met(licence, &allowed) {
                complaints.push(format!("{name} {version}: licence {licence:?}"));
            }
            if let Some(source) = source.as_deref().filter(|source| !is_of_workspace(source)) {
                complaints.push(format!("{name} {version}: comes from {source}"));
            }
            let banned = self.banned.iter().find(|entry| entry.covers(package));
            complaints.extend(banned.map(|entry| format!("{name} {version}: banned, {}", entry.reason)));
            if !self.skipped.iter().any(|entry| entry.covers(package)) {
                versions.entry(name).or_default().push(version);
            }
        }
        let twice = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
        complaints
            .extend(twice.map(|(name, versions)| format!("{name}: more than one version, {}", versions.join(" and "))));
        complaints
    }
}

fn is_of_workspace(source: &str) -> bool {
    Path::new(source).starts_with(program::workspace_root())
}

impl Entry {
    fn read(value: &toml::Value) -> Outcome<Self> {
        let text = |key: &str| value.get(key).and_then(toml::Value::as_str);
        let spec = text("crate").ok_or_else(|| format!("deny.toml: no `crate` in {value:?}"))?;
        let reason = text("reason").ok_or_else(|| format!("deny.toml: no reason for {spec}"))?;
        let (name, version) = match spec.split_once(":^") {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (spec, None),
        };
        Ok(Self { name: name.to_owned(), version, reason: reason.to_owned() })
    }

    fn covers(&self, package: &Package) -> bool {
        let begins = |begin: &String| {
            let rest = package.version.strip_prefix(begin.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.name == package.name && self.version.as_ref().is_none_or(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [{ crate = "sled", reason = "because" }]
        skip = [{ crate = "syn:^2", reason = "because" }]
    "#;

    fn complaints(tree: &str) -> Vec<String> {
        Rules::read(RULES).unwrap().complaints(&packages(tree).unwrap())
    }

    #[test]
    fn a_second_version_is_found_unless_it_is_skipped() {
        assert_eq!(complaints("syn v2.0.1|MIT\nsyn v3.0.0|MIT\nsyn v3.0.0|MIT (*)"), [""; 0]);
        let found = complaints("syn v20.0.0|MIT\nsyn v3.0.0|MIT");
        assert_eq!(found, ["syn: more than one version, 20.0.0 and 3.0.0"]);
    }

    #[test]
    fn a_banned_crate_a_strange_licence_and_a_strange_source_are_found() {
        assert_eq!(complaints("sled v1.0.0|MIT"), ["sled 1.0.0: banned, because"]);
        assert_eq!(complaints("a v1.0.0|GPL-3.0"), ["a 1.0.0: licence \"GPL-3.0\""]);
        assert_eq!(complaints("a v1.0.0|"), ["a 1.0.0: licence \"\""]);
        let from_git = complaints("a v1.0.0 (https://example.org/a#1234)|MIT");
        assert_eq!(from_git, ["a 1.0.0: comes from https://example.org/a#1234"]);
        assert_eq!(complaints("a v1.0.0 (proc-macro) (/elsewhere/a)|MIT"), ["a 1.0.0: comes from /elsewhere/a"]);
    }

    #[test]
    fn crates_io_and_the_workspace_are_fine() {
        let member = format!("xtask v0.1.0 ({})|MIT", program::workspace_root().join("xtask").display());
        assert_eq!(
            complaints(&format!("{member}\nserde_derive v1.0.0 (proc-macro)|MIT\n\na v1.0.0+b|MIT (*)")),
            [""; 0]
        );
    }

    #[test]
    fn a_listing_that_is_not_understood_is_no_silent_success() {
        assert!(packages("nonsense").is_err());
    }

    #[test]
    fn the_lists_of_this_workspace_can_be_read() {
        let text = std::fs::read_to_string(program::workspace_root().join("deny.toml")).unwrap();
        let rules = Rules::read(&text).unwrap();
        assert!(rules.banned.iter().any(|entry| entry.name == "backoff"));
    }
}
