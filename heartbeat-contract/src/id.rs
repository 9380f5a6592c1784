//! Names that are parsed once and then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is no id: ids are 1 to 128 of `A-Z a-z 0-9 . _ : @ -`, the first one a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidId {
    /// The text is empty.
    Empty,
    /// The text has this many bytes.
    TooLong(usize),
    /// The text starts with this character.
    First(char),
    /// The text contains this character.
    Character(char),
}

/// Why a text is no zone: the rules are those of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidZone(InvalidId);

impl InvalidId {
    fn say(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "{what} must not be empty"),
            Self::TooLong(bytes) => write!(f, "{bytes} bytes are too long for {what} (at most {MAX_ID_BYTES})"),
            Self::First(first) => write!(f, "{first:?} is not allowed as the first character of {what}"),
            Self::Character(other) => write!(f, "{other:?} is not allowed in {what}"),
        }
    }
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say("an id", f)
    }
}

impl fmt::Display for InvalidZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.say("a zone", f)
    }
}

impl std::error::Error for InvalidId {}

impl std::error::Error for InvalidZone {}

impl From<InvalidId> for InvalidZone {
    fn from(invalid: InvalidId) -> Self {
        Self(invalid)
    }
}

fn check(text: &str) -> Result<(), InvalidId> {
    let first = text.chars().next().ok_or(InvalidId::Empty)?;
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong(text.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '@' | '-');
    if let Some(other) = text.chars().find(|c| !allowed(*c)) {
        return Err(InvalidId::Character(other));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(InvalidId::First(first));
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$meta:meta])* $name:ident, $what:literal, $invalid:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Parses ", $what, ".")]
            ///
            /// # Errors
            /// If the text is empty, too long, or has a character outside the charset of [`InvalidId`].
            pub fn new(text: impl AsRef<str>) -> Result<Self, $invalid> {
                let text = text.as_ref();
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text it was parsed from.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = $invalid;

            fn from_str(text: &str) -> Result<Self, $invalid> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $invalid;

            fn try_from(text: &str) -> Result<Self, $invalid> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

id_type! {
    /// Names one member of a kind; cheap to clone.
    ///
    /// ```
    /// use heartbeat_contract::MemberId;
    ///
    /// assert!(MemberId::new("worker-123").is_ok());
    /// let refused = MemberId::new("worker 123").unwrap_err();
    /// assert_eq!(refused.to_string(), "' ' is not allowed in an id");
    /// ```
    #[doc(alias = "WorkerId")]
    MemberId, "an id", InvalidId
}

id_type! {
    /// Names a failure domain: a rack, a data centre. Members that name none are in `default`.
    Zone, "a zone", InvalidZone
}

id_type! {
    /// Names one event log, so that a number from another log is not taken for one of this.
    ///
    /// It must not contain a `-`: see [`EventId`](crate::EventId).
    LogId, "an id", InvalidId
}

impl Default for Zone {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_1_to_128_of_the_charset_and_start_alphanumeric() {
        assert_eq!(MemberId::new(""), Err(InvalidId::Empty));
        assert_eq!(MemberId::new("-a"), Err(InvalidId::First('-')));
        assert_eq!(MemberId::new("a b"), Err(InvalidId::Character(' ')));
        assert_eq!(MemberId::new("a/b"), Err(InvalidId::Character('/')));
        assert_eq!(MemberId::new("ä"), Err(InvalidId::Character('ä')));
        assert_eq!(MemberId::new("x".repeat(129)), Err(InvalidId::TooLong(129)));
        assert!(MemberId::new("x".repeat(128)).is_ok());
        assert!(MemberId::new("A9.a_b:c@d-e").is_ok());
    }

    #[test]
    fn a_text_that_is_no_zone_is_told_so() {
        let told = |text: &str| Zone::new(text).unwrap_err().to_string();
        assert_eq!(told("a b"), "' ' is not allowed in a zone");
        assert_eq!(told(""), "a zone must not be empty");
        assert_eq!(told("-a"), "'-' is not allowed as the first character of a zone");
        assert_eq!(told(&"x".repeat(129)), "129 bytes are too long for a zone (at most 128)");
    }
}
