//! Checks of what no compiler checks: the promises of this workspace that are stated as absences.

mod binaries;
mod layout;
mod manifests;
mod purity;
mod readme;
mod sources;
mod tree;

use std::fmt;

use self::tree::Tree;
use crate::outcome::Outcome;
use crate::{origins, program};

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; none if it is about the file as such.
    line: Option<usize>,
    what: String,
}

impl Finding {
    fn of(path: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, what: what.into() }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

pub(crate) fn run(tasks: &[String]) -> Outcome {
    let tree = Tree::read(program::workspace_root())?;
    let findings = findings(&tree, tasks)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => {
            eprintln!("tidy: {} files, nothing found", tree.files.len());
            Ok(())
        }
        count => Err(format!("tidy found {count} in {} files", tree.files.len()).into()),
    }
}

fn findings(tree: &Tree, tasks: &[String]) -> Outcome<Vec<Finding>> {
    let mut findings = layout::strangers(&tree.top);
    for file in &tree.files {
        findings.extend(purity::check(&file.path, &file.text));
        findings.extend(sources::check(&file.path, &file.text));
        findings.extend(binaries::check(&file.path, &file.text));
        findings.extend(manifests::check(&file.path, &file.text)?);
    }
    match tree.text_of("README.md") {
        Some(text) => findings.extend(readme::unknown_commands(text, tasks, |path| tree.text_of(path).is_some())),
        None => findings.push(Finding::of("README.md", "missing")),
    }
    let sources: Vec<&str> = tree.files.iter().map(|file| file.text.as_str()).collect();
    let complaints = origins::complaints(&sources, tasks)?;
    findings.extend(complaints.into_iter().map(|(line, what)| Finding::at(origins::FILE, line, what)));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_can_be_clicked() {
        assert_eq!(Finding::at("src/a.rs", 7, "no").to_string(), "src/a.rs:7: no");
        assert_eq!(Finding::of("src/a.rs", "no").to_string(), "src/a.rs: no");
    }
}
