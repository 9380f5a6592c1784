//! The work there is: files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// A folder without anything to work on.
#[derive(Debug)]
pub struct NoFiles {
    folder: PathBuf,
    source: Option<io::Error>,
}

impl std::fmt::Display for NoFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no files to work on in {}", self.folder.display())
    }
}

impl std::error::Error for NoFiles {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// The files of a folder that git tracks; where there is no git, all of them but those in hidden and `target` folders.
///
/// # Errors
/// If there are none, or the folder cannot be read.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>, NoFiles> {
    let tracked = tracked(folder).filter(|files| !files.is_empty());
    let files = tracked.map_or_else(|| walk(folder), Ok);
    match files {
        Ok(files) if !files.is_empty() => Ok(files),
        other => Err(NoFiles { folder: folder.to_owned(), source: other.err() }),
    }
}

fn tracked(folder: &Path) -> Option<Vec<PathBuf>> {
    let listed = Command::new("git").arg("-C").arg(folder).args(["ls-files", "-z"]).output().ok()?;
    let names = String::from_utf8(listed.stdout).ok().filter(|_| listed.status.success())?;
    Some(names.split('\0').filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect())
}

fn walk(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
            let name = entry.file_name();
            if kind.is_file() {
                files.push(entry.path());
            } else if kind.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
                folders.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_finds_the_files_of_every_folder_below() {
        let files = walk(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let ends = |name: &str| files.iter().any(|file| file.ends_with(name));
        assert!(ends("Cargo.toml") && ends("src/files.rs"));
    }

    #[test]
    fn a_folder_without_files_is_told() {
        let error = files_of(Path::new("/no-folder-has-this-name")).unwrap_err();
        assert_eq!(error.to_string(), "no files to work on in /no-folder-has-this-name");
    }
}
