//! Who may do what, asked in two steps: by the head of a request before its body is read, and again once it is known
//! whom the body is about.

use axum::http::request::Parts;
use heartbeat_contract::{Kind, MemberId, Problem, ProblemType};

/// How requests are authenticated.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub(super) enum Access {
    /// Everyone may do everything.
    #[default]
    Open,
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub(super) enum Principal {
    /// Anyone at all.
    Anyone,
}

/// What a request asks for, as far as its route tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// To beat for somebody; for whom is known only from the body: see [`Principal::may_beat`].
    Beat,
    /// To look.
    Read,
    /// To change how members are judged, ask something of them, or forget them.
    Operate,
}

impl Access {
    /// The first step: who asks, by the head alone, and whether such a request is theirs to make.
    pub(super) fn admit(&self, _head: &Parts, _right: Right) -> Result<Principal, Problem> {
        match self {
            Self::Open => Ok(Principal::Anyone),
        }
    }
}

impl Principal {
    /// The second step: whether a beat of this member is theirs to send.
    pub(super) fn may_beat(&self, _kind: &Kind, _id: &MemberId) -> bool {
        match self {
            Self::Anyone => true,
        }
    }

    /// The answer where [`may_beat`](Self::may_beat) says no.
    pub(super) fn forbidden(kind: &Kind, id: &MemberId) -> Problem {
        Problem::new(ProblemType::Forbidden, format!("these credentials may not beat for the {kind} {id}"))
    }
}
