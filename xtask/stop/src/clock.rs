//! The one place of this program that reads the clock.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "real processes are stopped, in real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
