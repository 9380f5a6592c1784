//! Programs outside this workspace, each of which depends on one of our crates: whether those can be used as they are.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::{Table, Value};

use crate::outcome::Outcome;
use crate::program;

/// A program that uses one crate of ours with certain features.
struct Consumer {
    name: &'static str,
    main: &'static str,
    /// The one crate of ours.
    uses: &'static str,
    features: Features,
    /// What it needs itself, to be async: other people's crates, in the version of this workspace, and those of their
    /// features that it needs.
    needs: &'static [(&'static str, &'static [&'static str])],
}

#[derive(Clone, Copy)]
enum Features {
    Default,
    Only(&'static [&'static str]),
}

macro_rules! consumer {
    ($name:literal, $uses:literal, $features:expr, $needs:expr) => {
        Consumer {
            name: $name,
            main: include_str!(concat!("../consumers/", $name, ".rs")),
            uses: $uses,
            features: $features,
            needs: $needs,
        }
    };
}

const ASYNC: (&str, &[&str]) = ("tokio", &["macros", "net", "rt"]);

const CONSUMERS: [Consumer; 8] = [
    consumer!("contract", "heartbeat-contract", Features::Default, &[]),
    consumer!("registry_core", "heartbeat-registry", Features::Only(&[]), &[]),
    consumer!("registry", "heartbeat-registry", Features::Default, &[ASYNC]),
    consumer!("sender_core", "heartbeat-sender", Features::Only(&[]), &[]),
    consumer!("sender", "heartbeat-sender", Features::Default, &[]),
    consumer!("probe", "daemon-lifecycle", Features::Only(&["probe"]), &[ASYNC]),
    consumer!("daemon", "daemon-lifecycle", Features::Default, &[ASYNC]),
    consumer!("endpoint", "daemon-lifecycle", Features::Only(&["endpoint"]), &[ASYNC, ("axum", &["http1", "tokio"])]),
];

/// Builds and runs each on its own, so that none lends its features to another. What they depend on is compiled once for
/// all whose features agree.
pub(crate) fn run() -> Outcome {
    let root = program::workspace_root();
    let workspace: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let folder = Folder::new()?;
    for consumer in &CONSUMERS {
        consumer.write_into(&folder.0.join(consumer.name), &workspace)?;
    }
    fs::write(folder.0.join("Cargo.toml"), workspace_manifest())?;
    fs::copy(root.join("Cargo.lock"), folder.0.join("Cargo.lock"))?;
    for consumer in &CONSUMERS {
        let mut command = program::cargo();
        command.args(["run", "--quiet", "--package", consumer.name]).current_dir(&folder.0);
        program::run(command.env("CARGO_TARGET_DIR", build_folder()?))?;
    }
    same_versions(&root.join("Cargo.lock"), &folder.0.join("Cargo.lock"))
}

/// Where crates are built as others will build them.
pub(crate) fn build_folder() -> Outcome<PathBuf> {
    Ok(program::target_folder()?.join("consumers"))
}

fn workspace_manifest() -> String {
    let members = CONSUMERS.map(|consumer| format!("{:?}", consumer.name)).join(", ");
    format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\ndebug = false\n")
}

impl Consumer {
    fn write_into(&self, folder: &Path, workspace: &Table) -> Outcome {
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/main.rs"), self.main)?;
        Ok(fs::write(folder.join("Cargo.toml"), self.manifest(workspace)?)?)
    }

    fn manifest(&self, workspace: &Table) -> Outcome<String> {
        let Self { name, uses, features, needs, .. } = self;
        let mut manifest = format!("[package]\nname = {name:?}\nedition = \"2024\"\n\n[dependencies]\n");
        let path = program::workspace_root().join(uses);
        let features = match features {
            Features::Default => String::new(),
            Features::Only(features) => format!(", default-features = false, features = {features:?}"),
        };
        writeln!(manifest, "{uses} = {{ path = {path:?}{features} }}")?;
        for (name, features) in *needs {
            let version = version(workspace, name)?;
            writeln!(
                manifest,
                "{name} = {{ version = {version:?}, default-features = false, features = {features:?} }}"
            )?;
        }
        Ok(manifest)
    }
}

/// The version of a dependency that the workspace's manifest asks for.
fn version<'a>(workspace: &'a Table, name: &str) -> Outcome<&'a str> {
    let dependency = workspace.get("workspace").and_then(|workspace| workspace.get("dependencies")?.get(name));
    let version = dependency.and_then(|dependency| dependency.get("version").unwrap_or(dependency).as_str());
    version.ok_or_else(|| format!("Cargo.toml: no version of {name}").into())
}

/// Whether the consumers were built with what this workspace was tested with.
fn same_versions(ours: &Path, theirs: &Path) -> Outcome {
    let ours = packages(ours)?;
    let other: Vec<String> = packages(theirs)?.into_iter().filter(|package| !ours.contains(package)).collect();
    if other.is_empty() { Ok(()) } else { Err(format!("not what Cargo.lock says: {}", other.join(", ")).into()) }
}

/// The packages of a lock file that come from a registry.
fn packages(lock: &Path) -> Outcome<Vec<String>> {
    let lock: Table = fs::read_to_string(lock)?.parse()?;
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let foreign = packages.filter(|package| package.get("source").is_some());
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(foreign.map(|package| text(package, "name") + " " + &text(package, "version")).collect())
}

/// A folder outside the workspace that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("heartbeat-consumers-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_depends_on_one_crate_of_ours_and_on_its_own_with_versions_of_the_workspace() {
        let workspace: Table =
            "[workspace.dependencies]\ntokio = { version = \"1.2.3\" }\naxum = \"4\"".parse().unwrap();
        let consumer = Consumer {
            name: "a",
            main: "",
            uses: "heartbeat-sender",
            features: Features::Only(&["http"]),
            needs: &[("tokio", &["rt"]), ("axum", &["http1", "tokio"])],
        };
        let manifest: Table = consumer.manifest(&workspace).unwrap().parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        assert_eq!(dependencies.keys().collect::<Vec<_>>(), ["axum", "heartbeat-sender", "tokio"]);
        assert_eq!(dependencies["axum"]["version"].as_str(), Some("4"));
        assert_eq!(dependencies["heartbeat-sender"]["default-features"].as_bool(), Some(false));
        let unknown = Consumer { needs: &[("serde", &[])], ..consumer };
        assert_eq!(unknown.manifest(&workspace).unwrap_err().to_string(), "Cargo.toml: no version of serde");
    }
}
