//! The features of each library crate, as cargo knows them.

use std::process::Command;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::program;

/// One check per feature of each published crate, and one without any. By clippy, which, unlike `cargo check`, can deny
/// warnings without compiling every dependency anew.
pub(crate) fn checks() -> Outcome<Vec<Command>> {
    Ok(packages()?.iter().flat_map(checks_of).collect())
}

/// Every feature of every published crate but those named, as `crate/feature`.
pub(crate) fn all_but(left_out: &[&str]) -> Outcome<Vec<String>> {
    Ok(packages()?.iter().flat_map(|package| all_of_but(package, left_out)).collect())
}

/// The names of the published crates.
pub(crate) fn published() -> Outcome<Vec<String>> {
    let packages = packages()?;
    let published = packages.iter().filter(|package| is_published(package));
    Ok(published.filter_map(|package| package["name"].as_str()).map(str::to_owned).collect())
}

fn packages() -> Outcome<Vec<Value>> {
    let mut metadata = program::cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps"]);
    let mut metadata: Value = serde_json::from_str(&program::output(&mut metadata)?)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => Err("cargo metadata tells no packages".into()),
    }
}

/// The features of a published crate, without `default`.
fn features_of(package: &Value) -> impl Iterator<Item = &str> {
    let features = package["features"].as_object().filter(|_| is_published(package));
    let names = features.into_iter().flat_map(|features| features.keys().map(String::as_str));
    names.filter(|feature| *feature != "default")
}

fn all_of_but(package: &Value, left_out: &[&str]) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let wanted = features_of(package).filter(|feature| !left_out.contains(feature));
    wanted.map(|feature| format!("{name}/{feature}")).collect()
}

fn checks_of(package: &Value) -> Vec<Command> {
    let Some(name) = package["name"].as_str().filter(|_| is_published(package)) else { return Vec::new() };
    let check = |feature: Option<&str>| {
        let mut command = program::cargo();
        command.args(["clippy", "--quiet", "--package", name, "--no-default-features"]);
        if let Some(feature) = feature {
            command.args(["--features", feature]);
        }
        command.args(["--", "-D", "warnings"]);
        command
    };
    std::iter::once(check(None)).chain(features_of(package).map(|feature| check(Some(feature)))).collect()
}

/// `publish = false` is told as an empty list of registries.
fn is_published(package: &Value) -> bool {
    package["publish"].as_array().is_none_or(|registries| !registries.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_feature_is_checked_alone_and_none_is_too() {
        let package = json!({"name": "a", "publish": null, "features": {"default": ["x"], "x": [], "y": ["x"]}});
        let lines: Vec<String> = checks_of(&package).iter().map(program::line).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with("clippy --quiet --package a --no-default-features -- -D warnings"), "{}", lines[0]);
        assert!(lines[1].contains("--features x "));
        assert!(lines[2].contains("--features y "));
    }

    #[test]
    fn features_can_be_named_with_their_crate_and_left_out() {
        let package = json!({"name": "a", "publish": null, "features": {"default": ["x"], "x": [], "tls": []}});
        assert_eq!(all_of_but(&package, &["tls"]), ["a/x"]);
    }

    #[test]
    fn packages_that_are_not_published_are_not_checked() {
        assert!(checks_of(&json!({"name": "xtask", "publish": [], "features": {}})).is_empty());
    }
}
