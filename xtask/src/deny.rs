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

/// The names of those that depend on a package directly.
type Dependents = BTreeSet<String>;

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
    command.args(["--locked", "--prefix", "depth", "--format", "{p}|{l}"]);
    command
}

/// Reads lines such as `1syn v3.0.9|MIT OR Apache-2.0` and `0a v1.0.0 (https://example.org/a)|MIT`, each below what
/// depends on it; the marks `(proc-macro)` and `(*)` say nothing of a source.
fn packages(tree: &str) -> Outcome<BTreeMap<Package, Dependents>> {
    let mut packages: BTreeMap<Package, Dependents> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let read = Package::read(line).filter(|(depth, _)| *depth <= above.len());
        let (depth, package) = read.ok_or_else(|| format!("cargo tree tells something else: {line}"))?;
        above.truncate(depth);
        let dependent = above.last().cloned();
        above.push(package.name.clone());
        packages.entry(package).or_default().extend(dependent);
    }
    Ok(packages)
}

impl Package {
    fn read(line: &str) -> Option<(usize, Self)> {
        let (package, licence) = line.split_once('|')?;
        let (name, rest) = package.split_once(" v")?;
        let (depth, name) = name.split_at(name.find(|c: char| !c.is_ascii_digit())?);
        let (version, marks) = rest.split_once(' ').unwrap_or((rest, ""));
        let source = marks.trim_start_matches("(proc-macro)").trim().trim_matches(['(', ')']);
        let source = (!source.is_empty()).then(|| source.to_owned());
        let (version, licence) = (version.to_owned(), licence.trim_end_matches(" (*)").to_owned());
        Some((depth.parse().ok()?, Self { name: name.to_owned(), version, licence, source }))
    }
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
    /// Who may depend on it although it is banned.
    wrappers: BTreeSet<String>,
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

    fn complaints(&self, packages: &BTreeMap<Package, Dependents>) -> Vec<String> {
        let mut complaints = Vec::new();
        let allowed: Vec<&str> = self.licences.iter().map(String::as_str).collect();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (package, dependents) in packages {
            let Package { name, version, licence, source } = package;
            if !licence::is_met(licence, &allowed) {
                complaints.push(format!("{name} {version}: licence {licence:?}"));
            }
            if let Some(source) = source.as_deref().filter(|source| !is_of_workspace(source)) {
                complaints.push(format!("{name} {version}: comes from {source}"));
            }
            let banned = self.banned.iter().find(|entry| entry.covers(package) && !entry.allows(dependents));
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
        let wrappers = match value.get("wrappers") {
            Some(wrappers) => wrappers.clone().try_into().map_err(|error| format!("deny.toml: {spec}: {error}"))?,
            None => BTreeSet::new(),
        };
        Ok(Self { name: name.to_owned(), version, reason: reason.to_owned(), wrappers })
    }

    /// Whether nobody but wrappers depends on it, as cargo-deny has it.
    fn allows(&self, dependents: &Dependents) -> bool {
        !dependents.is_empty() && dependents.is_subset(&self.wrappers)
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
        deny = [{ crate = "sled", reason = "because" }, { crate = "b", reason = "because", wrappers = ["a", "c"] }]
        skip = [{ crate = "syn:^2", reason = "because" }]
    "#;

    fn complaints(tree: &str) -> Vec<String> {
        Rules::read(RULES).unwrap().complaints(&packages(tree).unwrap())
    }

    #[test]
    fn a_second_version_is_found_unless_it_is_skipped() {
        assert_eq!(complaints("0syn v2.0.1|MIT\n0syn v3.0.0|MIT\n0syn v3.0.0|MIT (*)"), [""; 0]);
        let found = complaints("0syn v20.0.0|MIT\n0syn v3.0.0|MIT");
        assert_eq!(found, ["syn: more than one version, 20.0.0 and 3.0.0"]);
    }

    #[test]
    fn a_banned_crate_a_strange_licence_and_a_strange_source_are_found() {
        assert_eq!(complaints("0sled v1.0.0|MIT"), ["sled 1.0.0: banned, because"]);
        assert_eq!(complaints("0a v1.0.0|GPL-3.0"), ["a 1.0.0: licence \"GPL-3.0\""]);
        assert_eq!(complaints("0a v1.0.0|"), ["a 1.0.0: licence \"\""]);
        let from_git = complaints("0a v1.0.0 (https://example.org/a#1234)|MIT");
        assert_eq!(from_git, ["a 1.0.0: comes from https://example.org/a#1234"]);
        assert_eq!(complaints("0a v1.0.0 (proc-macro) (/elsewhere/a)|MIT"), ["a 1.0.0: comes from /elsewhere/a"]);
    }

    #[test]
    fn a_banned_crate_is_for_its_wrappers_alone() {
        let banned = ["b 1.0.0: banned, because"];
        assert_eq!(complaints("0a v1.0.0|MIT\n1b v1.0.0|MIT\n0c v1.0.0|MIT\n1b v1.0.0|MIT (*)"), [""; 0]);
        assert_eq!(complaints("0a v1.0.0|MIT\n1b v1.0.0|MIT\n0d v1.0.0|MIT\n1b v1.0.0|MIT (*)"), banned);
        assert_eq!(complaints("0a v1.0.0|MIT\n1d v1.0.0|MIT\n2b v1.0.0|MIT"), banned);
        assert_eq!(complaints("0b v1.0.0|MIT"), banned);
    }

    #[test]
    fn wrappers_that_are_no_list_of_names_are_refused() {
        assert!(Rules::read(&RULES.replace(r#"["a", "c"]"#, r#""a""#)).is_err());
    }

    #[test]
    fn crates_io_and_the_workspace_are_fine() {
        let member = format!("0xtask v0.1.0 ({})|MIT", program::workspace_root().join("xtask").display());
        assert_eq!(
            complaints(&format!("{member}\n1serde_derive v1.0.0 (proc-macro)|MIT\n\n1a v1.0.0+b|MIT (*)")),
            [""; 0]
        );
    }

    #[test]
    fn a_listing_that_is_not_understood_is_no_silent_success() {
        assert!(packages("nonsense").is_err());
        assert!(packages("0a v1.0.0|MIT\n2b v1.0.0|MIT").is_err());
    }

    #[test]
    fn the_lists_of_this_workspace_can_be_read() {
        let text = std::fs::read_to_string(program::workspace_root().join("deny.toml")).unwrap();
        let rules = Rules::read(&text).unwrap();
        assert!(rules.banned.iter().any(|entry| entry.name == "backoff"));
    }
}
