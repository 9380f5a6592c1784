//! The token that beats are sent with.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use tokio::sync::Semaphore;

use crate::ConfigError;
use crate::journal::Causes;

/// More than any server takes in a header.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Where the token comes from.
pub(crate) enum Token {
    /// It was given once and for all.
    Fixed(HeaderValue),
    /// It is kept in a file, which may be replaced.
    File(TokenFile),
}

/// A token in a file, as it was when last read.
pub(crate) struct TokenFile {
    path: PathBuf,
    latest: Mutex<Latest>,
    /// A file system may hang; then one reading waits for it, and no second one.
    reading: Arc<Semaphore>,
}

struct Latest {
    authorization: HeaderValue,
    /// Whether the file could be read when last tried, so that the log tells only when that changes.
    is_readable: bool,
}

impl Token {
    /// The header to send now.
    pub(crate) fn authorization(&self) -> HeaderValue {
        match self {
            Self::Fixed(authorization) => authorization.clone(),
            Self::File(file) => file.latest().authorization.clone(),
        }
    }

    /// The header to send instead of one that was refused, if there is another by now.
    pub(crate) async fn instead_of(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Fixed(_) => None,
            Self::File(file) => {
                file.read_again().await;
                Some(self.authorization()).filter(|authorization| authorization != refused)
            }
        }
    }
}

impl TokenFile {
    pub(crate) fn read(path: PathBuf) -> Result<Self, ConfigError> {
        match authorization_in(&path) {
            Ok(authorization) => Ok(Self {
                path,
                latest: Mutex::new(Latest { authorization, is_readable: true }),
                reading: Arc::new(Semaphore::new(1)),
            }),
            Err(source) => Err(ConfigError::BearerTokenFile { path, source }),
        }
    }

    /// Reads the file on a thread where it may take its time. A file that cannot be read, or not now, leaves the token as
    /// it was: it may be just about to be replaced.
    async fn read_again(&self) {
        let Ok(permit) = Arc::clone(&self.reading).try_acquire_owned() else { return };
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _until_read = permit;
            authorization_in(&path)
        });
        let read = reading.await.unwrap_or_else(|ended| Err(io::Error::other(ended)));
        let mut latest = self.latest();
        match read {
            Ok(authorization) => *latest = Latest { authorization, is_readable: true },
            Err(error) => {
                if std::mem::replace(&mut latest.is_readable, false) {
                    let path = self.path.display();
                    tracing::warn!(%path, error = %Causes(&error), "cannot read the bearer token again");
                }
            }
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header that carries a token.
pub(crate) fn bearer(token: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn authorization_in(path: &Path) -> io::Result<HeaderValue> {
    let mut read = Vec::new();
    File::open(path)?.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut read)?;
    let unusable = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    if read.len() as u64 > MAX_TOKEN_BYTES {
        return Err(unusable("it is longer than 64 KiB"));
    }
    match read.trim_ascii_end() {
        [] => Err(unusable("it is empty")),
        token => bearer(token).ok_or_else(|| unusable("it has characters that no HTTP header can carry")),
    }
}
