//! Where the figures of a host come from, when they do not come.

use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::field;

/// How many sources one beat may tell of.
const MAX_SOURCES: usize = 16;

/// A source of figures that hangs or fails, such as the driver of the GPUs. What a beat tells from it is what was read
/// last. Told for as long as it lasts; nobody is judged by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingSource {
    /// What it is called, such as `nvidia`; at most 256 bytes.
    pub source: String,
    /// How old the figures are that were read last, in milliseconds; absent if there are none.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// What it answers, at most 256 bytes; absent if it does not answer at all, but hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl FailingSource {
    pub(crate) fn check_all(sources: &[Self], violations: &mut Violations) {
        if sources.len() > MAX_SOURCES {
            violations.add("/failing_sources", format_args!("{} sources are more than {MAX_SOURCES}", sources.len()));
        }
        for (i, failing) in sources.iter().enumerate() {
            violations.short(format_args!("/failing_sources/{i}/source"), Some(&failing.source));
            violations.short(format_args!("/failing_sources/{i}/error"), failing.error.as_deref());
        }
    }
}

/// `nvidia hangs`, or `nvidia fails: RM detects a driver/library version mismatch`; without the age, which everybody writes
/// in their own way.
impl std::fmt::Display for FailingSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.error {
            None => write!(f, "{} hangs", self.source),
            Some(error) => write!(f, "{} fails: {error}", self.source),
        }
    }
}
