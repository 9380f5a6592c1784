//! Reasons not to promote a member to failed just now: the one seam, asked once, when all else says failed.

use heartbeat_contract::HoldReason;

use super::member::{Cold, Hot};
use super::now::micros;

/// A named reason with an end, in microseconds of the virtual clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) reason: HoldReason,
    pub(crate) since: u64,
    pub(crate) until: u64,
}

impl Hold {
    /// What holds a member at a moment, if anything does.
    pub(crate) fn on(hot: &Hot, cold: &Cold, at: u64) -> Option<Self> {
        startup_grace(hot, cold).filter(|hold| at < hold.until)
    }
}

/// A member that never beat is given time to start, from the moment it was announced.
fn startup_grace(hot: &Hot, cold: &Cold) -> Option<Hold> {
    let grace = micros(cold.policy.startup_grace);
    (!hot.has_beaten() && grace > 0).then(|| Hold {
        reason: HoldReason::StartupGrace,
        since: hot.heard,
        until: hot.heard + grace,
    })
}
