//! Whether a member's runtime keeps up.

use super::member::{Beat, Cold, Hot};

/// So many beats in a row with too much lag mean overload.
const ENOUGH: u8 = 3;

/// How late a member's runtime ran a small task, by its newest beats.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// By the newest beat, if it tells; in milliseconds.
    newest: Option<u32>,
    /// How many beats in a row told of too much.
    in_a_row: u8,
}

impl Cold {
    /// More than half of the member's own interval is too much; one beat with less, or that tells none, clears it.
    pub(super) fn hear_lag(&mut self, hot: &Hot, beat: &Beat<'_>, new_run: bool) {
        let interval_ms = self.declared_ms.unwrap_or(hot.interval_ms);
        let lag = beat.info.and_then(|info| info.runtime_lag_ms).map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
        let before = if new_run { 0 } else { self.lag.in_a_row };
        let is_too_much = lag.is_some_and(|lag| lag > interval_ms / 2);
        self.lag = Lag { newest: lag, in_a_row: if is_too_much { before.saturating_add(1) } else { 0 } };
    }

    pub(crate) fn is_overloaded(&self) -> bool {
        self.lag.in_a_row >= ENOUGH
    }

    /// The lag that its newest beat tells, in milliseconds.
    pub(crate) fn lag_ms(&self) -> Option<u64> {
        self.lag.newest.map(u64::from)
    }
}
