//! What can go wrong.

use heartbeat_contract::{Directive, HealthState, Kind, MemberId, Problem, ProblemType, Violations};

/// Why a beat or an announcement was not taken. Nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// A newer run of the member has been heard, or its run said goodbye.
    #[error("{id}: a newer run, {newest}, has been heard or this one said goodbye")]
    StaleIncarnation {
        /// Who beats.
        id: MemberId,
        /// The newest run. A run that was never accepted may take the number after it.
        newest: u64,
    },
    /// There is no room for another member: all are alive.
    #[error("{max} members are known already, and none can be forgotten")]
    TooManyMembers {
        /// How many there may be.
        max: usize,
    },
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        let detail = error.to_string();
        match error {
            RecordError::Invalid(violations) => violations.into(),
            RecordError::StaleIncarnation { newest, .. } => {
                Self { newest_incarnation: Some(newest), ..Self::new(ProblemType::StaleIncarnation, detail) }
            }
            RecordError::TooManyMembers { .. } => Self::new(ProblemType::TooManyMembers, detail),
        }
    }
}

/// No member has this id, or it was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} {:?} is known", .id.as_str())]
pub struct UnknownMember {
    pub(crate) kind: Kind,
    pub(crate) id: MemberId,
}

impl From<UnknownMember> for Problem {
    fn from(error: UnknownMember) -> Self {
        Self::new(ProblemType::NotFound, error.to_string())
    }
}

/// Why a member is not asked for something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectiveError {
    /// No member has the id, or it was forgotten.
    #[error(transparent)]
    Unknown(#[from] UnknownMember),
    /// Nobody would hear of it.
    #[error("{id} has {state}: nobody would hear of a directive")]
    NotOnline {
        /// The member.
        id: MemberId,
        /// `failed` or `left`.
        state: HealthState,
    },
    /// It is no directive that this version knows.
    #[error("{0} is no directive")]
    NoDirective(Directive),
}

impl From<DirectiveError> for Problem {
    fn from(error: DirectiveError) -> Self {
        match error {
            DirectiveError::Unknown(unknown) => unknown.into(),
            DirectiveError::NotOnline { state: HealthState::Left, .. } => {
                Self::new(ProblemType::StaleIncarnation, error.to_string())
            }
            _ => Self::new(ProblemType::InvalidPayload, error.to_string()),
        }
    }
}
