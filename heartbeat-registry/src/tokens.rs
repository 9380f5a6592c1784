//! Bearer tokens: who may do what, kept as hashes in a file that is read again when it changes.

mod error;
mod file;
mod hex;
mod scope;
mod secret;
mod set;
mod token;
mod watch;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use heartbeat_contract::{Kind, MemberId};

pub use error::TokenFileError;
pub use file::TokenFile;
pub use scope::{InvalidScope, Members, Scope};
pub use secret::Secret;
pub use token::{InvalidToken, Token};

use crate::clock::{Clock, SystemClock};
use crate::lock::lock;
use secret::TokenHash;
use set::TokenSet;
use watch::Watch;

/// The tokens that a registry knows. Cheap to clone; clones know the same.
///
/// ```
/// use heartbeat_registry::http::{Api, Secret, Token, Tokens};
/// use heartbeat_registry::contract::WorkerHeartbeat;
/// use heartbeat_registry::{Fleet, FleetConfig};
///
/// let secret = Secret::generate()?;
/// let token = Token::new("rack-7", vec!["beat:worker:rack-7-".parse()?], &secret, jiff::Timestamp::UNIX_EPOCH)?;
/// let fleet = Fleet::start(FleetConfig::default())?;
/// let app: axum::Router = Api::new(&fleet).kind::<WorkerHeartbeat>().tokens(Tokens::fixed([token])?).router();
/// println!("Authorization: Bearer {}", secret.expose());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    set: Mutex<Arc<TokenSet>>,
    /// None if the tokens never change.
    watch: Option<Watch>,
}

/// Who presented a token.
#[derive(Clone)]
pub struct Holder {
    tokens: Tokens,
    token: Arc<Token>,
}

impl Tokens {
    /// The tokens of a file: one a line, as [`Token`] shows them, beside blank lines and those that begin with `#`.
    ///
    /// The file is looked at when a token is checked and 250 ms have passed since the last look, so that a token that was
    /// added or revoked is known or refused within 250 ms, and nothing happens while nobody asks. What cannot be read or
    /// is wrong is logged once, and the tokens from before stay. Replace the file by renaming another over it, as
    /// [`TokenFile`] does: one that is read half written lacks tokens for a moment.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it is no token.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TokenFileError> {
        Self::open_by(path, SystemClock::new())
    }

    /// Like [`open`](Self::open), with a clock of yours to tell when to look again.
    ///
    /// # Errors
    /// As with `open`.
    pub fn open_by(path: impl AsRef<Path>, clock: impl Clock) -> Result<Self, TokenFileError> {
        let (watch, set) = Watch::open(path.as_ref(), Box::new(clock))?;
        Ok(Self::new(set, Some(watch)))
    }

    /// Tokens that never change.
    ///
    /// # Errors
    /// If two have the same name or secret, or there are more than 10,000.
    pub fn fixed(tokens: impl IntoIterator<Item = Token>) -> Result<Self, InvalidToken> {
        Ok(Self::new(TokenSet::new(tokens)?, None))
    }

    fn new(set: TokenSet, watch: Option<Watch>) -> Self {
        Self { shared: Arc::new(Shared { set: Mutex::new(Arc::new(set)), watch }) }
    }

    /// Who holds a token, or `None` if it is not known or was revoked. Takes as long for one as for the other.
    #[must_use]
    pub fn holder(&self, token: &str) -> Option<Holder> {
        let set = self.current();
        let token = Arc::clone(set.find(TokenHash::of(token))?);
        Some(Holder { tokens: self.clone(), token })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current().tokens().len()
    }

    /// Whether there is none, so that nobody may do anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn current(&self) -> Arc<TokenSet> {
        let Shared { set, watch } = &*self.shared;
        if let Some(watch) = watch {
            watch.look(|changed| *lock(set) = Arc::new(changed));
        }
        Arc::clone(&lock(set))
    }
}

impl Holder {
    /// What people call the token.
    #[must_use]
    pub fn name(&self) -> &str {
        self.token.name()
    }

    /// Whether looking is allowed.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.token.scopes().contains(&Scope::Read) || self.may_operate()
    }

    /// Whether changing is allowed.
    #[must_use]
    pub fn may_operate(&self) -> bool {
        self.token.scopes().contains(&Scope::Operate)
    }

    /// Whether a beat of this member is allowed.
    #[must_use]
    pub fn may_beat(&self, kind: &Kind, id: &MemberId) -> bool {
        self.beats().any(|members| members.include(kind, id))
    }

    /// Whether a beat of some member is allowed.
    #[must_use]
    pub fn may_beat_at_all(&self) -> bool {
        self.beats().next().is_some()
    }

    /// Whether the token is still known, and for the same as when it was presented. As cheap as checking a token anew, and
    /// as prompt: for answers that take long, to be asked at least once a second.
    #[must_use]
    pub fn is_still_valid(&self) -> bool {
        self.tokens.current().still_has(&self.token)
    }

    fn beats(&self) -> impl Iterator<Item = &Members> {
        self.token.scopes().iter().filter_map(|scope| match scope {
            Scope::Beat(members) => Some(members),
            Scope::Read | Scope::Operate => None,
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = lock(&self.shared.set);
        let names: Vec<_> = set.tokens().iter().map(|token| token.name()).collect();
        f.debug_struct("Tokens").field("names", &names).finish_non_exhaustive()
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").field("name", &self.name()).finish_non_exhaustive()
    }
}
