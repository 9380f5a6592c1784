//! Noticing that a token file has changed.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, SystemTime};

use super::error::TokenFileError;
use super::set::{InvalidLine, TokenSet};
use crate::clock::Clock;

/// How long nobody looks at the file again.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For how long after a change the file is read at each look, whatever its stamp: a second change may leave the stamp as
/// it is, since times of files are coarse, up to 2 s.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) struct Watch {
    path: PathBuf,
    clock: Box<dyn Clock>,
    /// In milliseconds on the clock.
    next_look: AtomicU64,
    seen: Mutex<Seen>,
}

/// What the last look saw.
struct Seen {
    stamp: Option<Stamp>,
    /// The file's text, or why it could not be read.
    text: Result<String, std::io::ErrorKind>,
    settled_at: Duration,
}

/// What tells one state of a file from another without reading it. Renaming another file over it changes the inode.
#[derive(PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Watch {
    /// Reads a token file for the first time.
    pub(super) fn open(path: &Path, clock: Box<dyn Clock>) -> Result<(Self, TokenSet), TokenFileError> {
        let now = clock.monotonic();
        let stamp = Stamp::of(path).ok();
        let text = fs::read_to_string(path).map_err(TokenFileError::io(path, "read"))?;
        let set = TokenSet::parse(&text).map_err(|line| TokenFileError::line(path, line))?;
        let seen = Seen { stamp, text: Ok(text), settled_at: now + SETTLE };
        let next_look = AtomicU64::new(millis(now + LOOK_EVERY));
        Ok((Self { path: path.to_owned(), clock, next_look, seen: Mutex::new(seen) }, set))
    }

    /// Looks whether the file has changed, unless that was done just now or is being done, and if so hands over its tokens.
    /// What is no token file is logged, once.
    pub(super) fn look(&self, replace: impl FnOnce(TokenSet)) {
        let now = self.clock.monotonic();
        if millis(now) < self.next_look.load(Ordering::Relaxed) {
            return;
        }
        let mut seen = match self.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.next_look.store(millis(now + LOOK_EVERY), Ordering::Relaxed);
        if !seen.changes(&self.path, now) {
            return;
        }
        let path = self.path.display();
        match seen.text.as_deref().map(TokenSet::parse) {
            Ok(Ok(set)) => {
                tracing::info!(%path, tokens = set.tokens().len(), "the token file was read again");
                replace(set);
            }
            Ok(Err(InvalidLine { number, reason })) => {
                tracing::error!(%path, line = number, %reason, "the token file is wrong: the tokens from before stay");
            }
            Err(reason) => {
                tracing::error!(%path, %reason, "the token file cannot be read: the tokens from before stay");
            }
        }
    }
}

impl Seen {
    /// Sees what there is now, and whether it is something else than before.
    fn changes(&mut self, path: &Path, now: Duration) -> bool {
        let stamp = Stamp::of(path).ok();
        if stamp != self.stamp {
            self.stamp = stamp;
            self.settled_at = now + SETTLE;
        } else if now >= self.settled_at {
            return false;
        }
        let text = fs::read_to_string(path).map_err(|error| error.kind());
        let changed = text != self.text;
        if changed {
            self.text = text;
            self.settled_at = now + SETTLE;
        }
        changed
    }
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { length: metadata.len(), modified: metadata.modified().ok(), inode: inode(&metadata) })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
