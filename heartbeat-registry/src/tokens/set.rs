//! All tokens at one time.

use std::collections::HashSet;
use std::sync::Arc;

use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::secret::TokenHash;
use super::token::{InvalidToken, Token};

/// Each request is compared with every token, so that there has to be an end to them.
pub(super) const MAX_TOKENS: usize = 10_000;
/// What [`TokenSet::find`] answers where there is none: no place is that far back.
const NOWHERE: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct TokenSet {
    /// Those of the tokens, in their order.
    hashes: Vec<TokenHash>,
    tokens: Vec<Arc<Token>>,
}

/// A line that is no token.
#[derive(Debug)]
pub(super) struct InvalidLine {
    /// From 1.
    pub(super) number: usize,
    pub(super) reason: InvalidToken,
}

impl TokenSet {
    pub(super) fn new(tokens: impl IntoIterator<Item = Token>) -> Result<Self, InvalidToken> {
        let mut room = Room::default();
        tokens.into_iter().try_for_each(|token| room.add(token))?;
        Ok(room.set)
    }

    /// Reads the text of a token file.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidLine> {
        let mut room = Room::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !is_remark(line)) {
            let added = line.parse().and_then(|token| room.add(token));
            added.map_err(|reason| InvalidLine { number: index + 1, reason })?;
        }
        Ok(room.set)
    }

    pub(super) fn tokens(&self) -> &[Arc<Token>] {
        &self.tokens
    }

    /// Finds a token by comparing with all of them, also after one matched, and each to its end: so that neither what is
    /// wrong with a token nor the place of a right one shows in how long it takes.
    pub(super) fn find(&self, hash: TokenHash) -> Option<&Arc<Token>> {
        let mut place = NOWHERE;
        for (index, known) in (0..NOWHERE).zip(&self.hashes) {
            place.conditional_assign(&index, known.ct_eq(&hash));
        }
        usize::try_from(place).ok().and_then(|place| self.tokens.get(place))
    }

    /// Whether a token is still there, for the same as before.
    pub(super) fn still_has(&self, token: &Arc<Token>) -> bool {
        let is_the_same = |known: &Token| known.hash() == token.hash() && known.scopes() == token.scopes();
        self.tokens.iter().any(|known| is_the_same(known))
    }
}

/// Whether a line of a token file says nothing: it is blank, or begins with `#`.
pub(super) fn is_remark(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// A set that is being filled.
#[derive(Default)]
struct Room {
    set: TokenSet,
    names: HashSet<String>,
    hashes: HashSet<TokenHash>,
}

impl Room {
    fn add(&mut self, token: Token) -> Result<(), InvalidToken> {
        if !self.names.insert(token.name().to_owned()) {
            return Err(InvalidToken::SameName(token.name().to_owned()));
        }
        if !self.hashes.insert(token.hash()) {
            return Err(InvalidToken::SameToken(token.name().to_owned()));
        }
        if self.names.len() > MAX_TOKENS {
            return Err(InvalidToken::TooMany);
        }
        self.set.hashes.push(token.hash());
        self.set.tokens.push(Arc::new(token));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::secret::Secret;
    use super::*;

    fn token(name: &str) -> (Token, Secret) {
        let secret = Secret::generate().unwrap();
        (Token::new(name, vec!["read".parse().unwrap()], &secret, Timestamp::UNIX_EPOCH).unwrap(), secret)
    }

    #[test]
    fn every_token_is_found_and_no_other() {
        let (tokens, secrets): (Vec<_>, Vec<_>) = (0..20).map(|n| token(&format!("t{n}"))).unzip();
        let set = TokenSet::new(tokens).unwrap();
        for (n, secret) in secrets.iter().enumerate() {
            assert_eq!(set.find(TokenHash::of(secret.expose())).unwrap().name(), format!("t{n}"));
        }
        assert!(set.find(TokenHash::of(Secret::generate().unwrap().expose())).is_none());
        assert!(TokenSet::default().find(TokenHash::of("")).is_none());
    }

    #[test]
    fn a_file_has_one_token_a_line_beside_remarks() {
        let (a, b) = (token("a").0, token("b").0);
        let set = TokenSet::parse(&format!("# ours\n\n{a}\n  # and\n {b} \n")).unwrap();
        assert_eq!(set.tokens().iter().map(|token| token.name()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(TokenSet::parse("").unwrap().tokens().is_empty());
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let (a, b) = (token("a").0, token("b").0);
        let same_hash = a.to_string().replace("\"a\"", "\"c\"");
        for (text, number, reason) in [
            (format!("# ours\n{a}\nnonsense"), 3, None),
            (format!("{a}\n\n{b}\n{a}"), 4, Some(InvalidToken::SameName("a".to_owned()))),
            (format!("{a}\n{same_hash}"), 2, Some(InvalidToken::SameToken("c".to_owned()))),
        ] {
            let refused = TokenSet::parse(&text).unwrap_err();
            assert_eq!(refused.number, number, "{text}");
            assert!(reason.is_none_or(|reason| reason == refused.reason), "{text}: {:?}", refused.reason);
        }
    }

    #[test]
    fn there_are_not_more_than_can_be_compared() {
        let line = |n: usize| {
            format!(r#"{{"name":"t{n}","scopes":["read"],"created":"2026-01-31T12:00:00Z","sha256":"{n:064x}"}}"#)
        };
        let lines = |count: usize| (0..count).map(line).collect::<Vec<_>>().join("\n");
        assert_eq!(TokenSet::parse(&lines(MAX_TOKENS)).unwrap().tokens().len(), MAX_TOKENS);
        assert_eq!(TokenSet::parse(&lines(MAX_TOKENS + 1)).unwrap_err().reason, InvalidToken::TooMany);
    }
}
