//! The guard against mass silence, as operators see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time;

/// Members kept from failed, since too many hosts fell silent at once to believe that all of them died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionView {
    /// The zone; `_all` is the whole fleet.
    pub zone: String,
    /// Since when, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub since: Timestamp,
    /// Until when at the latest.
    #[serde(with = "time::stamp")]
    pub until: Timestamp,
    /// How many of the hosts are still silent.
    pub silent_hosts: u64,
    /// How many hosts there were, silent or heard, when it began.
    pub hosts: u64,
    /// How many members are held so far.
    pub members: u64,
    /// Whether it has ended, and hosts that are still silent are let go one after the other; those may still be confirmed as
    /// lost.
    #[serde(default)]
    pub letting_go: bool,
}

/// The protections that hold just now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionsPage {
    /// In the order of their zones, the whole fleet first; then zones whose hosts are let go.
    pub protections: Vec<ProtectionView>,
}
