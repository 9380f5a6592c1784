//! Kinds of members.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Words that a kind must not be, since its routes would collide with others.
const RESERVED: [&str; 4] = ["stat", "event", "heartbeat", "protection"];
const MAX_BYTES: usize = 32;

/// A kind of members: `worker`, `hive`, or a word of your own. Its routes are named after it.
///
/// ```
/// use heartbeat_contract::Kind;
///
/// const AGENT: Kind = Kind::from_static("agent");
/// assert_eq!(AGENT.plural(), "agents");
/// assert!(Kind::new("stat").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

/// Why a text is no kind: kinds are 1 to 32 of `a-z`, but not `stat`, `event`, `heartbeat` or `protection`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind: 1 to {MAX_BYTES} of a-z, and not one of stat, event, heartbeat, protection")]
pub struct InvalidKind(String);

impl Kind {
    /// Workers.
    pub const WORKER: Self = Self::from_static("worker");
    /// Hives: the daemons of the hosts that workers live on.
    pub const HIVE: Self = Self::from_static("hive");

    /// A kind known at compile time.
    ///
    /// # Panics
    /// If the word is no kind; in a constant, that is a compile error.
    #[must_use]
    pub const fn from_static(word: &'static str) -> Self {
        assert!(is_kind(word), "kinds are 1 to 32 of a-z, and none of the reserved words");
        Self(Cow::Borrowed(word))
    }

    /// Parses a kind.
    ///
    /// # Errors
    /// If the word is not 1 to 32 of `a-z`, or reserved.
    pub fn new(word: impl Into<String>) -> Result<Self, InvalidKind> {
        let word = word.into();
        if is_kind(&word) { Ok(Self(Cow::Owned(word))) } else { Err(InvalidKind(word)) }
    }

    /// The kind as a word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The word for several of them: with an `s`.
    #[must_use]
    pub fn plural(&self) -> String {
        format!("{}s", self.0)
    }
}

const fn is_kind(word: &str) -> bool {
    let bytes = word.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_BYTES {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        if !bytes[i].is_ascii_lowercase() {
            return false;
        }
        i += 1;
    }
    let mut i = 0;
    while i < RESERVED.len() {
        if equal(bytes, RESERVED[i].as_bytes()) {
            return false;
        }
        i += 1;
    }
    true
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_lower_case_letters_and_none_of_the_reserved_words() {
        assert!(Kind::new("agent").is_ok());
        for refused in ["", "Agent", "agent-1", "stat", "event", "heartbeat", "protection"] {
            assert!(Kind::new(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn kinds_have_at_most_32_letters_from_a_to_z_and_may_begin_or_end_like_a_reserved_word() {
        for taken in ["a", "z", "az", "stats", "sta", "restat", "stab", "evens", &"x".repeat(32)] {
            assert_eq!(Kind::new(taken).map(|kind| kind.to_string()), Ok(taken.to_owned()));
        }
        for refused in ["{", "`", "a{", "`a", "aäa", &"x".repeat(33)] {
            assert!(Kind::new(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_kind_shows_as_its_word() {
        assert_eq!((Kind::WORKER.as_str(), format!("{:?}", Kind::HIVE)), ("worker", "\"hive\"".to_owned()));
    }
}
