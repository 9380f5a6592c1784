//! Errors on the wire (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::{BatchError, DecodeError, FieldError, Violations};

/// The body of an error, `application/problem+json`.
///
/// ```
/// use heartbeat_contract::{Problem, ProblemType};
///
/// let problem = Problem::new(ProblemType::NotFound, "no worker worker-9");
/// assert_eq!((problem.status, problem.slug()), (404, "not-found"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `/problems/` and the slug of the [`ProblemType`].
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The type in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The newest run of the member, with [`ProblemType::StaleIncarnation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_incarnation: Option<u64>,
}

macro_rules! problem_types {
    ($( $(#[$meta:meta])* $variant:ident = $slug:literal, $status:literal, $title:literal; )+) => {
        /// What can be wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProblemType {
            $( $(#[$meta])* $variant, )+
        }

        impl ProblemType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The last segment of the type's URI.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $( Self::$variant => $slug, )+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )+ }
            }

            /// The type in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $( Self::$variant => $title, )+ }
            }
        }
    };
}

problem_types! {
    /// The body breaks the contract; 400 instead if it is no JSON.
    InvalidPayload = "invalid-payload", 422, "Invalid payload";
    /// No or unknown credentials.
    Unauthorized = "unauthorized", 401, "Unauthorized";
    /// These credentials do not allow it.
    Forbidden = "forbidden", 403, "Forbidden";
    /// There is no such member or page.
    NotFound = "not-found", 404, "Not found";
    /// The page does not take this method.
    MethodNotAllowed = "method-not-allowed", 405, "Method not allowed";
    /// A newer run of the member has been heard, or this one said goodbye.
    StaleIncarnation = "stale-incarnation", 409, "Stale incarnation";
    /// The body is too large.
    TooLarge = "too-large", 413, "Too large";
    /// The body is not said to be JSON.
    UnsupportedMediaType = "unsupported-media-type", 415, "Unsupported media type";
    /// The registry is full of live members.
    TooManyMembers = "too-many-members", 429, "Too many members";
    /// The registry has too much to do.
    Overloaded = "overloaded", 429, "Overloaded";
    /// The registry cannot answer just now.
    Unavailable = "unavailable", 503, "Unavailable";
}

impl Problem {
    /// A problem of a type.
    #[must_use]
    pub fn new(problem: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("/problems/{}", problem.slug()),
            title: problem.title().to_owned(),
            status: problem.status(),
            detail: detail.into(),
            errors: Vec::new(),
            newest_incarnation: None,
        }
    }

    /// The last segment of the type.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.type_uri.rsplit('/').next().unwrap_or_default()
    }

    /// The type, or `None` if this version does not know it.
    #[must_use]
    pub fn problem_type(&self) -> Option<ProblemType> {
        ProblemType::ALL.iter().copied().find(|known| known.slug() == self.slug())
    }
}

impl From<Violations> for Problem {
    fn from(violations: Violations) -> Self {
        let detail = violations.to_string();
        Self { errors: violations.into_fields(), ..Self::new(ProblemType::InvalidPayload, detail) }
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Unreadable(_) => {
                Self { status: 400, ..Self::new(ProblemType::InvalidPayload, error.to_string()) }
            }
            DecodeError::Invalid(violations) => violations.into(),
        }
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Decode(error) => error.into(),
            BatchError::TooMany(_) => Self::new(ProblemType::InvalidPayload, error.to_string()),
        }
    }
}
