//! The one place of the bench that reads the clock.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the bench measures real processes, in real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
