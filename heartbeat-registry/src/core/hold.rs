//! Reasons not to promote a member to failed just now: the one seam, asked when all else says failed.

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
    /// All that hold a member at a moment; nothing brings back one that has failed.
    pub(crate) fn all(hot: &Hot, cold: &Cold, at: u64) -> impl Iterator<Item = Self> {
        let network = cold.finding.as_ref().and_then(|finding| finding.hold(hot));
        let holds = [startup_grace(hot, cold), cold.mass_hold, network];
        let is_online = hot.state().is_online();
        holds.into_iter().flatten().filter(move |hold| is_online && at < hold.until)
    }

    /// That which holds a member longest from a moment on, if anything does.
    pub(crate) fn on(hot: &Hot, cold: &Cold, at: u64) -> Option<Self> {
        Self::all(hot, cold, at).max_by_key(|hold| hold.until)
    }
}

/// A member that never beat is given time to start, from the moment it was announced.
fn startup_grace(hot: &Hot, cold: &Cold) -> Option<Hold> {
    let until = hot.heard + micros(cold.policy.startup_grace);
    (!hot.has_beaten()).then_some(Hold { reason: HoldReason::StartupGrace, since: hot.heard, until })
}
