//! Changing a token file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::TokenFileError;
use super::set::{TokenSet, is_remark};
use super::token::Token;

/// What stands at the top of a new file.
const REMARK: &str = "# Tokens of a heartbeat-registry, one a line: see `heartbeat-registry token --help`.\n";
/// How often, and at what distance, a file that another process is changing is tried again: 10 s in all.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// A token file, to be changed: line by line, so that remarks stay, and whole, so that a registry that reads it sees the
/// one before or the one after. Processes that change the same file wait for each other, by a lock on a file beside it
/// whose name ends in `.lock`.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at a path; it need not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// All tokens in it.
    ///
    /// # Errors
    /// If it cannot be read, or a line of it is no token.
    pub fn tokens(&self) -> Result<Vec<Token>, TokenFileError> {
        let set = self.parse(&self.read()?)?;
        Ok(set.tokens().iter().map(|token| Token::clone(token)).collect())
    }

    /// Adds a token, to a new file if there is none. A new file is for its owner alone; one that is there keeps its owner
    /// and mode.
    ///
    /// # Errors
    /// If the file cannot be read or written, a line of it is no token, or one of its tokens has the same name.
    pub fn add(&self, token: &Token) -> Result<(), TokenFileError> {
        let _locked = self.lock()?;
        let mut text = match self.read() {
            Err(error) if error.is_not_found() => REMARK.to_owned(),
            text => text?,
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.parse(&text)?;
        text.push_str(&format!("{token}\n"));
        // The file was fine: what is wrong now is the token.
        TokenSet::parse(&text).map_err(|line| TokenFileError::token(&self.path, line.reason))?;
        self.write(&text)
    }

    /// Removes a token, and says whether there was one of this name.
    ///
    /// # Errors
    /// If the file cannot be read or written, or a line of it is no token.
    pub fn remove(&self, name: &str) -> Result<bool, TokenFileError> {
        // Where there is no file, no lock is left beside it.
        self.read()?;
        let _locked = self.lock()?;
        let text = self.read()?;
        if !self.parse(&text)?.tokens().iter().any(|token| token.name() == name) {
            return Ok(false);
        }
        let is_it = |line: &str| !is_remark(line) && line.parse::<Token>().is_ok_and(|token| token.name() == name);
        let rest: String = text.split_inclusive('\n').filter(|line| !is_it(line)).collect();
        self.write(&rest)?;
        Ok(true)
    }

    fn read(&self) -> Result<String, TokenFileError> {
        fs::read_to_string(&self.path).map_err(TokenFileError::io(&self.path, "read"))
    }

    fn parse(&self, text: &str) -> Result<TokenSet, TokenFileError> {
        TokenSet::parse(text).map_err(|line| TokenFileError::line(&self.path, line))
    }

    /// Waits, up to 10 s, until no other process is changing the file.
    fn lock(&self) -> Result<File, TokenFileError> {
        let failed = || TokenFileError::io(&self.path, "lock");
        let lock = private(OpenOptions::new().write(true).create(true)).open(self.beside(".lock")).map_err(failed())?;
        self.share(&lock);
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(failed()(error)),
            }
        }
        Err(TokenFileError::locked(&self.path))
    }

    /// Lets everyone lock who may change the file, whoever was the first to.
    fn share(&self, lock: &File) {
        let Ok(file) = fs::metadata(&self.path) else { return };
        // Only its owner can give it away, and whoever may open it can lock it all the same.
        if let Err(error) = belong_as(lock, &file) {
            tracing::debug!(%error, "the lock of a token file stays with its owner");
        }
    }

    /// Puts a new file in the place of the old one. The lock is held.
    fn write(&self, text: &str) -> Result<(), TokenFileError> {
        let new = self.beside(".new");
        let written = self.write_beside(&new, text).and_then(|()| fs::rename(&new, self.target()));
        if written.is_err() {
            // What went wrong is told; a leftover is replaced next time.
            fs::remove_file(&new).ok();
        }
        written.map_err(TokenFileError::io(&self.path, "write"))?;
        // The change counts from now on, so that it is none that failed.
        if let Err(error) = keep_name(&new) {
            tracing::warn!(%error, file = %self.path.display(), "a change of the token file may not survive a crash");
        }
        Ok(())
    }

    fn write_beside(&self, new: &Path, text: &str) -> io::Result<()> {
        match fs::remove_file(new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(new)?;
        match fs::metadata(&self.path) {
            Ok(old) => belong_as(&file, &old)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// The file itself, where the path is a link to it.
    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.target().into_os_string();
        path.push(ending);
        path.into()
    }
}

/// Files that others may not read.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// A registry that runs as another user than the one who changes its tokens must be able to read them afterwards, too.
#[cfg(unix)]
fn belong_as(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn belong_as(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the new name of a renamed file survive a crash.
#[cfg(unix)]
fn keep_name(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn keep_name(_: &Path) -> io::Result<()> {
    Ok(())
}
