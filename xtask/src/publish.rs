//! Whether the crates could be published: packed, unpacked elsewhere, and built against each other's packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::outcome::Outcome;
use crate::{consumers, features, program};

/// What every package has to hold beside its sources.
const PAPERS: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Uploads nothing. What the working tree holds is packed, committed or not.
pub(crate) fn run() -> Outcome {
    let crates = features::published()?;
    for name in &crates {
        let listing =
            program::output(program::cargo().args(["package", "--list", "--allow-dirty", "--package", name]))?;
        if let Some(missing) = missing(&listing) {
            return Err(format!("the package of {name} lacks {missing}").into());
        }
    }
    // As the consumers, which depend on much the same.
    let folder = consumers::build_folder()?;
    forget(&crates, &folder)?;
    let mut command = program::cargo();
    command.args(["publish", "--dry-run", "--allow-dirty"]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    program::run(command.env("CARGO_TARGET_DIR", folder).env("CARGO_PROFILE_DEV_DEBUG", "false"))
}

/// Cargo takes two packages of one version for the same, so what it unpacked and built of ours in an earlier run has to
/// go. It unpacks them below folders whose names have no host before the `-`.
fn forget(crates: &[String], folder: &Path) -> Outcome {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).ok_or("there is no home folder")?;
    let unpacked = below(&home.join("registry/src"), |name| name.starts_with('-'))?;
    for place in unpacked.into_iter().chain([folder.join("debug/.fingerprint")]) {
        for ours in below(&place, |name| crates.iter().any(|ours| is_of(name, ours)))? {
            fs::remove_dir_all(ours)?;
        }
    }
    Ok(())
}

/// What lies in a folder, if there is one, and has such a name.
fn below(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Outcome<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let wanted = entries.into_iter().filter(|entry| is_wanted(&entry.file_name().to_string_lossy()));
    Ok(wanted.map(|entry| entry.path()).collect())
}

/// Whether a folder is named for a crate and its version, or for a crate and a hash.
fn is_of(folder: &str, name: &str) -> bool {
    folder.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

fn missing(listing: &str) -> Option<&'static str> {
    PAPERS.into_iter().find(|paper| !listing.lines().any(|line| line == *paper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_its_licence_is_found() {
        assert_eq!(missing("Cargo.toml\nLICENSE-APACHE\nLICENSE-MIT\nREADME.md\nsrc/lib.rs\n"), None);
        assert_eq!(missing("Cargo.toml\nLICENSE-APACHE\nREADME.md\n"), Some("LICENSE-MIT"));
    }

    #[test]
    fn folders_of_a_crate_are_told_from_those_of_others() {
        assert!(is_of("heartbeat-contract-0.1.0", "heartbeat-contract"));
        assert!(
            !is_of("heartbeat-contracts-0.1.0", "heartbeat-contract") && !is_of("serde-1.0.0", "heartbeat-contract")
        );
    }
}
