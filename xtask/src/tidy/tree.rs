//! The workspace as texts.

use std::fs;
use std::io;
use std::path::Path;

/// What stands at the top of the workspace, and every text below it that a check reads.
pub(super) struct Tree {
    pub(super) top: Vec<Entry>,
    pub(super) files: Vec<File>,
}

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_folder: bool,
}

pub(super) struct File {
    /// From the top of the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self { top: entries(root)?, files: Vec::new() };
        read_files(root, "", &mut tree.files)?;
        Ok(tree)
    }

    pub(super) fn text_of(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }
}

fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(Entry { name, is_folder: entry.file_type()?.is_dir() });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn read_files(root: &Path, below: &str, files: &mut Vec<File>) -> io::Result<()> {
    for Entry { name, is_folder } in entries(&root.join(below))? {
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if is_folder && !name.starts_with('.') && path != "target" {
            read_files(root, &path, files)?;
        } else if !is_folder && is_checked(&name) {
            let text = fs::read_to_string(root.join(&path))?;
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn is_checked(name: &str) -> bool {
    [".rs", ".toml", ".md"].iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_sources_of_every_crate_and_no_build_output() {
        let tree = Tree::read(crate::program::workspace_root()).unwrap();
        assert!(tree.text_of("xtask/src/tidy/tree.rs").is_some());
        assert!(tree.text_of("Cargo.toml").is_some());
        assert!(tree.top.iter().any(|entry| entry.name == "xtask" && entry.is_folder));
        assert!(!tree.files.iter().any(|file| file.path.starts_with("target/")));
    }
}
