//! What a token is for.

use std::fmt;
use std::str::FromStr;

use heartbeat_contract::{InvalidId, InvalidKind, Kind, MemberId};

/// One thing that a token is for.
///
/// | scope | allows |
/// |---|---|
/// | `beat:KIND:PREFIX` | beats of the members of a kind whose ids begin so |
/// | `read` | to look at members, events and statistics |
/// | `operate` | to change how members are judged, ask something of them, have them probed (`verify`), or forget them; and to read |
///
/// `*` stands for all kinds, and no prefix for all ids: `beat:*:` is everybody's. A prefix is no whole id, so
/// `beat:worker:worker-1` also covers `worker-10`; end prefixes with a separator. Neither `read` nor `operate` allows to
/// beat, so that who looks after the fleet cannot pass for a member of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Beats of some members.
    Beat(Members),
    /// To look.
    Read,
    /// To change, to have members probed, and to look.
    Operate,
}

/// Some members: of one kind or all, and those whose ids begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Members {
    /// `None` is every kind.
    kind: Option<Kind>,
    prefix: String,
}

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// It has another form.
    #[error("{0:?} is no scope: there are beat:KIND:PREFIX, read and operate")]
    Form(String),
    /// It names what is no kind.
    #[error("the scope {scope:?} names no kind (* stands for all)")]
    Kind {
        /// The whole scope.
        scope: String,
        /// What is wrong with the kind.
        #[source]
        source: InvalidKind,
    },
    /// No id begins with its prefix.
    #[error("no id begins as the scope {scope:?} asks for")]
    Prefix {
        /// The whole scope.
        scope: String,
        /// What is wrong with the prefix.
        #[source]
        source: InvalidId,
    },
}

impl Members {
    /// Those of a kind, or of every kind, whose ids begin so; with an empty prefix, all of them.
    ///
    /// # Errors
    /// If no id begins so.
    pub fn new(kind: Option<Kind>, prefix: &str) -> Result<Self, InvalidId> {
        if !prefix.is_empty() {
            MemberId::new(prefix)?;
        }
        Ok(Self { kind, prefix: prefix.to_owned() })
    }

    /// Of which kind they are; `None` is every kind.
    #[must_use]
    pub fn kind(&self) -> Option<&Kind> {
        self.kind.as_ref()
    }

    /// How their ids begin.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a member is one of them.
    #[must_use]
    pub fn include(&self, kind: &Kind, id: &MemberId) -> bool {
        self.kind.as_ref().is_none_or(|own| own == kind) && id.as_str().starts_with(&self.prefix)
    }

    fn parse(scope: &str, kind: &str, prefix: &str) -> Result<Self, InvalidScope> {
        let kind = match kind {
            "*" => None,
            word => Some(Kind::new(word).map_err(|source| InvalidScope::Kind { scope: scope.to_owned(), source })?),
        };
        Self::new(kind, prefix).map_err(|source| InvalidScope::Prefix { scope: scope.to_owned(), source })
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        match text {
            "read" => Ok(Self::Read),
            "operate" => Ok(Self::Operate),
            _ => {
                let members = text.strip_prefix("beat:").and_then(|members| members.split_once(':'));
                let (kind, prefix) = members.ok_or_else(|| InvalidScope::Form(text.to_owned()))?;
                Members::parse(text, kind, prefix).map(Self::Beat)
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beat(Members { kind, prefix }) => {
                write!(f, "beat:{}:{prefix}", kind.as_ref().map_or("*", Kind::as_str))
            }
            Self::Read => f.write_str("read"),
            Self::Operate => f.write_str("operate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(scope: &str, kind: &Kind, id: &str) -> bool {
        let Scope::Beat(members) = scope.parse().unwrap() else { panic!("{scope} is for beats") };
        members.include(kind, &MemberId::new(id).unwrap())
    }

    #[test]
    fn beats_are_of_a_kind_and_of_ids_that_begin_so() {
        assert!(covers("beat:worker:worker-", &Kind::WORKER, "worker-7"));
        assert!(!covers("beat:worker:worker-", &Kind::WORKER, "other-7"));
        assert!(!covers("beat:worker:worker-", &Kind::HIVE, "worker-7"));
        assert!(!covers("beat:worker:worker-", &Kind::WORKER, "worker"));
        assert!(covers("beat:*:", &Kind::HIVE, "anything"));
        assert!(covers("beat:*:rack-7:", &Kind::HIVE, "rack-7:a"), "an id may have colons");
        assert!(!covers("beat:*:rack-7:", &Kind::HIVE, "rack-70"));
    }

    #[test]
    fn members_are_built_and_read_as_their_text_is() {
        let built = Members::new(Some(Kind::WORKER), "rack-7-").unwrap();
        assert_eq!((built.kind(), built.prefix()), (Some(&Kind::WORKER), "rack-7-"));
        assert_eq!("beat:worker:rack-7-".parse(), Ok(Scope::Beat(built)));
        assert_eq!("beat:*:".parse(), Ok(Scope::Beat(Members::new(None, "").unwrap())));
        assert!(Members::new(None, "-").is_err());
    }

    #[test]
    fn scopes_show_as_they_are_written() {
        for text in ["beat:worker:worker-", "beat:*:", "beat:hive:a:b", "read", "operate"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_scope_is_refused_by_name() {
        for (text, why) in [
            ("", "is no scope"),
            ("write", "is no scope"),
            ("READ", "is no scope"),
            ("beat", "is no scope"),
            ("beat:worker", "is no scope"),
            ("beat::", "names no kind"),
            ("beat:Worker:", "names no kind"),
            ("beat:stat:", "names no kind"),
            ("beat:worker:a b", "no id begins"),
            ("beat:worker:-", "no id begins"),
            ("beat:worker:*", "no id begins"),
        ] {
            let refused = text.parse::<Scope>().unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains(&format!("{text:?}")), "{refused}");
        }
    }
}
