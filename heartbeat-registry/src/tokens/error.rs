//! What can go wrong with a token file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::set::InvalidLine;
use super::token::InvalidToken;

/// Why a token file could not be read or changed; the message names the file, and the line if one is wrong. A file that
/// could not be changed is as it was.
#[derive(Debug)]
pub struct TokenFileError {
    path: PathBuf,
    failure: Failure,
}

#[derive(Debug)]
enum Failure {
    Io { doing: &'static str, error: io::Error },
    Line(InvalidLine),
    Token(InvalidToken),
    Locked,
}

impl TokenFileError {
    /// `doing` ends the sentence "cannot".
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(path, Failure::Io { doing, error })
    }

    pub(super) fn line(path: &Path, line: InvalidLine) -> Self {
        Self::new(path, Failure::Line(line))
    }

    pub(super) fn token(path: &Path, reason: InvalidToken) -> Self {
        Self::new(path, Failure::Token(reason))
    }

    pub(super) fn locked(path: &Path) -> Self {
        Self::new(path, Failure::Locked)
    }

    fn new(path: &Path, failure: Failure) -> Self {
        Self { path: path.to_owned(), failure }
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(&self.failure, Failure::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the file, or the token that should be added to it, is not as it should be, so that trying again will not
    /// help.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self.failure, Failure::Line(_) | Failure::Token(_)) || self.is_not_found()
    }
}

impl fmt::Display for TokenFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.failure {
            Failure::Io { doing, .. } => write!(f, "cannot {doing} the token file {path}"),
            Failure::Line(InvalidLine { number, .. }) => write!(f, "the token file {path} is wrong in line {number}"),
            Failure::Token(_) => write!(f, "the token file {path} stays as it is"),
            Failure::Locked => write!(f, "the token file {path} is being changed by another process"),
        }
    }
}

impl Error for TokenFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failure {
            Failure::Io { error, .. } => Some(error),
            Failure::Line(InvalidLine { reason, .. }) | Failure::Token(reason) => Some(reason),
            Failure::Locked => None,
        }
    }
}
