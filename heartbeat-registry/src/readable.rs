//! Times as people write them.

use std::time::Duration;

/// `1m 35s`.
pub(crate) fn humane(duration: Duration) -> String {
    let duration = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    format!("{duration:#}")
}

/// `71.2 s`.
pub(crate) fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}
