//! One moment, by every clock there is.

use std::time::Duration;

use jiff::Timestamp;

/// One moment by the three clocks: the virtual one judges, the monotonic one tells true silences, and the wall clock is
/// for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Microseconds of the virtual clock: monotonic time less what is credited.
    pub(crate) at: u64,
    /// Microseconds of the monotonic clock.
    pub(crate) mono: u64,
    /// The wall clock.
    pub(crate) wall: Timestamp,
}

impl Now {
    /// The wall clock at another moment of the virtual one.
    pub(crate) fn wall_at(&self, at: u64) -> Timestamp {
        let distance = at.checked_signed_diff(self.at).unwrap_or(i64::MAX);
        let distance = jiff::SignedDuration::from_micros(distance);
        self.wall.saturating_add(distance).expect("a signed duration has no calendar units")
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
