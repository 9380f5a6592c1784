//! What the holder of a token has, and what the registry keeps of it.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::hex;

/// What every token begins with, so that one that got lost in a log or a repository can be searched for.
const PREFIX: &str = "hb_";
const RANDOM_BYTES: usize = 32;

/// The text of a token: 256 bits from the operating system's generator. Only its holder has it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn generate() -> std::io::Result<Self> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        Ok(Self(format!("{PREFIX}{}", hex::encode(&random))))
    }

    /// The text to hand over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The SHA-256 of a token.
///
/// A slow hash, as passwords need, would protect nothing more: nobody guesses 256 random bits, from a fast hash either.
/// And a slow one would let anyone keep the registry busy with wrong tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u64; 4]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self::from_bytes(Sha256::digest(token.as_bytes()).into())
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).map(Self::from_bytes)
    }

    pub(super) fn to_hex(self) -> String {
        hex::encode(&self.0.map(u64::to_be_bytes).concat())
    }

    /// In words rather than bytes, since each check compares with every token there is.
    fn from_bytes(bytes: [u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        Self(std::array::from_fn(|n| u64::from_be_bytes(words[n])))
    }
}

impl ConstantTimeEq for TokenHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({})", self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_never_the_same_and_not_shown_by_accident() {
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_eq!(one.expose().len(), PREFIX.len() + 2 * RANDOM_BYTES);
        assert!(one.expose().starts_with(PREFIX));
        assert_ne!(one.expose(), other.expose());
        assert_eq!(format!("{one:?}"), "Secret");
    }

    #[test]
    fn the_hash_is_the_sha_256_that_other_tools_compute() {
        let hash = TokenHash::of("abc");
        assert_eq!(hash.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(TokenHash::from_hex(&hash.to_hex()), Some(hash));
    }
}
