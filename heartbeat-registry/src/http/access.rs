//! Who may do what, asked in two steps: by the head of a request before its body is read, and again once it is known
//! whom the body is about.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use heartbeat_contract::{Kind, MemberId, Problem, ProblemType};

use crate::tokens::{Holder, Tokens};

/// How requests are authenticated.
#[derive(Clone, Debug, Default)]
pub(super) enum Access {
    /// Everyone may do everything.
    #[default]
    Open,
    /// By bearer tokens.
    Tokens(Tokens),
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub(super) enum Principal {
    /// Anyone at all.
    Anyone,
    /// Whoever holds a token.
    Holder(Holder),
}

/// What a request asks for, as far as its route tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// To beat for somebody; for whom is known only from the body: see [`Principal::may_beat`].
    Beat,
    /// To look.
    Read,
    /// To change how members are judged, ask something of them, have them probed, or forget them.
    Operate,
}

impl Access {
    /// The first step: who asks, by the head alone, and whether such a request is theirs to make.
    pub(super) fn admit(&self, head: &Parts, right: Right) -> Result<Principal, Problem> {
        match self {
            Self::Open => Ok(Principal::Anyone),
            Self::Tokens(tokens) => {
                let holder = tokens.holder(bearer(head)?);
                let holder = holder.ok_or_else(|| unauthorized("the bearer token is not known, or was revoked"))?;
                if !right.is_of(&holder) {
                    return Err(not_for(&holder, right));
                }
                Ok(Principal::Holder(holder))
            }
        }
    }
}

impl Principal {
    /// The second step: whether a beat of this member is theirs to send.
    pub(super) fn may_beat(&self, kind: &Kind, id: &MemberId) -> bool {
        match self {
            Self::Anyone => true,
            Self::Holder(holder) => holder.may_beat(kind, id),
        }
    }

    /// The answer where [`may_beat`](Self::may_beat) says no.
    pub(super) fn forbidden(kind: &Kind, id: &MemberId) -> Problem {
        Problem::new(ProblemType::Forbidden, format!("these credentials may not beat for the {kind} {id}"))
    }

    /// Whether what admitted them still does: answers that take long ask at least once a second, and end when it does not.
    pub(super) fn is_still_valid(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::Holder(holder) => holder.is_still_valid(),
        }
    }
}

impl Right {
    fn is_of(self, holder: &Holder) -> bool {
        match self {
            Self::Beat => holder.may_beat_at_all(),
            Self::Read => holder.may_read(),
            Self::Operate => holder.may_operate(),
        }
    }
}

/// The token in `Authorization: Bearer TOKEN` (RFC 6750). What is wrong is never repeated: it may be a secret.
fn bearer(head: &Parts) -> Result<&str, Problem> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(unauthorized("no bearer token came along")) };
    let token = value.to_str().ok().filter(|_| values.next().is_none()).and_then(token);
    token.ok_or_else(|| unauthorized("the Authorization header is not of the form `Bearer TOKEN`"))
}

fn token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.chars().all(allowed)).then_some(token)
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(ProblemType::Unauthorized, detail)
}

fn not_for(holder: &Holder, right: Right) -> Problem {
    let right = match right {
        Right::Beat => "beat for anybody",
        Right::Read => "read",
        Right::Operate => "operate",
    };
    Problem::new(ProblemType::Forbidden, format!("the token {} may not {right}", holder.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_the_scheme_in_any_case() {
        for credentials in ["Bearer hb_7", "bearer hb_7", "BEARER  hb_7"] {
            assert_eq!(token(credentials), Some("hb_7"), "{credentials:?}");
        }
    }

    #[test]
    fn other_credentials_are_no_token() {
        for credentials in
            ["", "hb_7", "Bearer", "Bearer ", "Basic aGI6Nw==", "Bearerhb_7", "Bearer hb 7", "Bearer hb_7,"]
        {
            assert_eq!(token(credentials), None, "{credentials:?}");
        }
    }
}
