//! A token as the registry keeps it.

use std::fmt;
use std::str::FromStr;

use heartbeat_contract::{InvalidId, MemberId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::scope::{InvalidScope, Scope};
use super::secret::{Secret, TokenHash};

/// A token as the registry keeps it: what it is for, and a hash by which to know it again. Its text is a line of a token
/// file, a JSON object:
///
/// ```json
/// {"name": "rack-7", "scopes": ["beat:worker:rack-7-"], "created": "2026-01-31T12:00:00Z", "sha256": "ba78.."}
/// ```
///
/// A `note` for people may stand in it, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    name: String,
    scopes: Vec<Scope>,
    created: Timestamp,
    note: Option<String>,
    hash: TokenHash,
}

/// Why something is no token, or none that may stand beside the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The line is not the JSON object it should be.
    #[error("{0}")]
    Form(String),
    /// Names of tokens are formed as ids are.
    #[error("the name {name:?} does not do")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidId,
    },
    /// A scope is none.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// Such a token would allow nothing.
    #[error("the token {0} has no scope: there are beat:KIND:PREFIX, read and operate")]
    NoScope(String),
    /// The hash of the token named so is not one of SHA-256. What stands there is not repeated: it may be the secret.
    #[error("the sha256 of {0} is not 64 digits of 0-9 and a-f")]
    Hash(String),
    /// Another token has the same name.
    #[error("there is a token named {0} already")]
    SameName(String),
    /// Another token has the same hash.
    #[error("{0} is the same token as one above")]
    SameToken(String),
    /// There are too many, since each request is compared with all.
    #[error("more than {max} tokens", max = super::set::MAX_TOKENS)]
    TooMany,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object with name, scopes, created and sha256")]
struct Line {
    name: String,
    scopes: Vec<String>,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    sha256: String,
}

impl Token {
    /// What to keep of a new token.
    ///
    /// # Errors
    /// If the name is not formed as ids are, or there is no scope.
    pub fn new(name: &str, scopes: Vec<Scope>, secret: &Secret, created: Timestamp) -> Result<Self, InvalidToken> {
        Self::checked(name.to_owned(), scopes, created, TokenHash::of(secret.expose()))
    }

    /// Adds a note for people.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    fn checked(name: String, scopes: Vec<Scope>, created: Timestamp, hash: TokenHash) -> Result<Self, InvalidToken> {
        if let Err(source) = MemberId::new(&name) {
            return Err(InvalidToken::Name { name, source });
        }
        if scopes.is_empty() {
            return Err(InvalidToken::NoScope(name));
        }
        Ok(Self { name, scopes, created, note: None, hash })
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// When it was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// A note for people.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    pub(super) fn hash(&self) -> TokenHash {
        self.hash
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(line: &str) -> Result<Self, InvalidToken> {
        let Line { name, scopes, created, note, sha256 } = serde_json::from_str(line).map_err(|error| form(&error))?;
        let scopes = scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?;
        let Some(hash) = TokenHash::from_hex(&sha256) else { return Err(InvalidToken::Hash(name)) };
        Ok(Self { note, ..Self::checked(name, scopes, created, hash)? })
    }
}

/// It counts lines of its own, which would be taken for those of the file.
fn form(error: &serde_json::Error) -> InvalidToken {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    InvalidToken::Form(format!("{what}, at column {}", error.column()))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = Line {
            name: self.name.clone(),
            scopes: self.scopes.iter().map(Scope::to_string).collect(),
            created: self.created,
            note: self.note.clone(),
            sha256: self.hash.to_hex(),
        };
        f.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn line(scopes: &str, rest: &str) -> String {
        format!(r#"{{"name":"ops","scopes":{scopes},"created":"2026-01-31T12:00:00Z"{rest}}}"#)
    }

    #[test]
    fn a_token_shows_as_the_line_it_is_read_from() {
        let line = line(r#"["read","beat:worker:a-"]"#, &format!(r#","note":"for \"them\"","sha256":"{HASH}""#));
        let token: Token = line.parse().unwrap();
        assert_eq!((token.name(), token.note(), token.scopes().len()), ("ops", Some("for \"them\""), 2));
        assert_eq!(token.hash(), TokenHash::of("abc"));
        assert_eq!(token.to_string(), line);
    }

    #[test]
    fn a_line_that_is_no_token_says_why() {
        let sha256 = format!(r#","sha256":"{HASH}""#);
        for (text, why) in [
            ("", "EOF while parsing a value, at column 0"),
            ("[1]", "invalid type"),
            (&line("[]", &sha256), "the token ops has no scope"),
            (&line(r#"["all"]"#, &sha256), "\"all\" is no scope"),
            (&line(r#"["read"]"#, ""), "missing field `sha256`, at column"),
            (&line(r#"["read"]"#, r#","sha256":"abc""#), "the sha256 of ops is not"),
            (&line(r#"["read"]"#, &format!("{sha256},\"scope\":1")), "unknown field `scope`"),
            (&line(r#"["read"]"#, &sha256).replace("ops", "o p s"), "the name \"o p s\" does not do"),
            (&line(r#"["read"]"#, &sha256).replace("2026", "soon"), "year"),
        ] {
            let refused = text.parse::<Token>().unwrap_err().to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
