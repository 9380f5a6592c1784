//! Times, and what is told with them, as people write them.

use std::time::Duration;

use heartbeat_contract::FailingSource;

/// `1m 35s`.
pub(crate) fn humane(duration: Duration) -> String {
    let duration = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    format!("{duration:#}")
}

/// `71.2 s`.
pub(crate) fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

/// `nvidia hangs; its last figures were 42.0 s old`.
pub(crate) fn failing(source: &FailingSource) -> String {
    match source.age_ms {
        Some(age) => format!("{source}; its last figures were {} old", seconds(age)),
        None => format!("{source}; it has told no figures yet"),
    }
}
