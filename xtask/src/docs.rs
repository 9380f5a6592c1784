//! The documentation of all crates, without a warning, and with it the paths that the table of origins names.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::outcome::Outcome;
use crate::{origins, program};

/// Lets `examples`, the one crate that knows all others, link to each path of the table: rustdoc refuses those that lead
/// nowhere. Cargo does not see that the file changed, but it sees that the flags did.
pub(crate) fn run() -> Outcome {
    let links = origins::links()?;
    let mut hasher = DefaultHasher::new();
    links.hash(&mut hasher);
    let edition = format!("{:016x}", hasher.finish());
    let target = program::target_folder()?;
    let file = target.join("origins.md");
    std::fs::write(&file, format!("{links}\nEdition {edition}.\n"))?;

    let mut command = program::cargo();
    command.args(["doc", "--workspace", "--all-features", "--no-deps"]).env("ORIGINS", file);
    command.env("RUSTDOCFLAGS", format!("-D warnings --cfg=origins --cfg=origins=\"{edition}\""));
    program::run(&mut command)?;
    let page = std::fs::read_to_string(target.join("doc/examples/origins/index.html")).unwrap_or_default();
    if page.contains(&edition) { Ok(()) } else { Err("the paths of the table of origins were not looked at".into()) }
}
