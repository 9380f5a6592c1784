//! The one place of this crate that reads a clock.

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall clock of this machine: what [`run`](crate::run) takes outside simulations.
///
/// It stamps beats and numbers the run; nothing is ever timed by it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the injected clock has to come from somewhere")]
pub fn system_clock() -> Timestamp {
    Timestamp::now()
}

/// Tokio's clock, so that `tokio::time::pause` governs every wait.
#[expect(clippy::disallowed_methods, reason = "sleeping until a slot needs the clock that sleeps")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
