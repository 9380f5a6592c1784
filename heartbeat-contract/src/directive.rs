//! What an operator asks of a member through its acks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decode::{Violations, decode_object};
use crate::words::words;
use crate::{DecodeError, time};

words! {
    /// What an ack asks of the sender.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Directive {
        /// Take no new work and finish what is in hand.
        Drain = "drain",
        /// Say goodbye and end.
        Shutdown = "shutdown",
        /// A word this version does not know; to be ignored.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// What became of a directive.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum DirectiveOutcome {
        /// An operator asked for it; each ack repeats it from now on.
        Asked = "asked",
        /// The member did it: `drain` once its status is `draining`, `shutdown` once it said goodbye.
        Obeyed = "obeyed",
        /// An operator took it back.
        Withdrawn = "withdrawn",
        /// It lapsed: the member failed, left or came back as a newer run, or 10 minutes passed.
        Void = "void",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

/// What an operator asks of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectiveRequest {
    /// The directive.
    pub directive: Directive,
}

impl DirectiveRequest {
    /// Decodes a request.
    ///
    /// # Errors
    /// If it is no JSON object, or names no directive that this version knows.
    pub fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        let request: Self = decode_object(json)?;
        match request.directive {
            Directive::Unknown => Err(Violations::one("/directive", "expected drain or shutdown").into()),
            _ => Ok(request),
        }
    }
}

/// A directive that is asked of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedDirective {
    /// The directive.
    pub directive: Directive,
    /// The run it is asked of, if the member's beats are ordered. No later run hears of it.
    pub incarnation: Option<u64>,
    /// When it lapses, by the registry's wall clock, unless it is obeyed or withdrawn before.
    #[serde(with = "time::stamp")]
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_a_directive_that_is_known() {
        let request = DirectiveRequest::decode(br#"{"directive": "drain"}"#).unwrap();
        assert_eq!(request.directive, Directive::Drain);
        let message = |json: &[u8]| DirectiveRequest::decode(json).unwrap_err().to_string();
        assert_eq!(message(br#"{"directive": "dance"}"#), "directive: expected drain or shutdown");
        assert!(message(b"{}").contains("missing field `directive`"), "{}", message(b"{}"));
    }
}
