use std::error::Error;
use std::sync::Arc;

use daemon_lifecycle::UrlError;
use heartbeat_contract::{Kind, MemberId, Problem, ProblemType, Violations};

/// Why a member was not probed. Nothing was sent to it; to tell [`NotAllowed`](Self::NotAllowed), a name in its endpoint was
/// looked up.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No member of the kind has this id, or it was forgotten.
    #[error("no {kind} {id} is known")]
    Unknown {
        /// The kind asked for.
        kind: Kind,
        /// The id asked for.
        id: MemberId,
    },
    /// The member said goodbye: by now, somebody else may answer where it was.
    #[error("the {kind} {id} said goodbye")]
    Left {
        /// The kind of the member.
        kind: Kind,
        /// Its id.
        id: MemberId,
    },
    /// The newest beat of the member tells no endpoint, or it never beat.
    #[error("the {kind} {id} tells no endpoint in its beats")]
    NoEndpoint {
        /// The kind of the member.
        kind: Kind,
        /// Its id.
        id: MemberId,
    },
    /// What the member tells as its endpoint is nothing that can be probed.
    #[error("the endpoint of the {kind} {id} is of no use")]
    UnusableEndpoint {
        /// The kind of the member.
        kind: Kind,
        /// Its id.
        id: MemberId,
        /// What is wrong with it.
        source: Arc<UrlError>,
    },
    /// What the member tells as its endpoint holds a user name or a password: whoever beats must not choose what this
    /// process says who it is.
    #[error("the endpoint of the {kind} {id} holds a user name or a password, and none is sent")]
    Credentials {
        /// The kind of the member.
        kind: Kind,
        /// Its id.
        id: MemberId,
    },
    /// The endpoint is where none of this member may be.
    #[error("the endpoint {url} of the {kind} {id} is at {addresses}, but {rule}")]
    NotAllowed {
        /// The kind of the member.
        kind: Kind,
        /// Its id.
        id: MemberId,
        /// The endpoint, without credentials.
        url: String,
        /// The addresses it leads to.
        addresses: String,
        /// Where it may be, in words.
        rule: String,
    },
    /// As many probes as may be are under way.
    #[error("{at_once} probes are under way already")]
    Overloaded {
        /// How many may be.
        at_once: usize,
    },
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        let problem = match &error {
            VerifyError::Unknown { .. } => ProblemType::NotFound,
            VerifyError::Left { .. } => ProblemType::StaleIncarnation,
            VerifyError::NoEndpoint { .. } | VerifyError::Credentials { .. } => return endpoint(&error),
            VerifyError::UnusableEndpoint { source, .. } => return endpoint(&with_causes(source.as_ref())),
            VerifyError::NotAllowed { .. } => ProblemType::Forbidden,
            VerifyError::Overloaded { .. } => ProblemType::Overloaded,
        };
        Self::new(problem, error.to_string())
    }
}

/// It is for the member to tell another one.
fn endpoint(detail: &dyn std::fmt::Display) -> Problem {
    let mut violations = Violations::default();
    violations.add("/beat/endpoint", detail);
    violations.into()
}

fn with_causes(error: &dyn Error) -> String {
    let texts = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}
