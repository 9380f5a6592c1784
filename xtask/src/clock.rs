//! The one place of xtask that reads clocks.

use std::time::Instant;

use jiff::Timestamp;

/// For durations.
#[expect(clippy::disallowed_methods, reason = "xtask drives real processes, in real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// For moments that are held beside those a registry tells.
#[expect(clippy::disallowed_methods, reason = "xtask drives real processes, in real time")]
pub(crate) fn timestamp() -> Timestamp {
    Timestamp::now()
}
