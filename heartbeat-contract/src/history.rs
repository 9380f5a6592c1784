//! The recent beats of a member.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Kind, MemberId, Metadata, time};

/// The recent beats of a member, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The kind of the member.
    pub kind: Kind,
    /// The id of the member.
    pub id: MemberId,
    /// The beats, oldest first.
    pub beats: Vec<HistoryEntry>,
    /// The mean time between them, in milliseconds; `null` below two.
    pub mean_interval_ms: Option<f64>,
    /// The mean deviation from that, in milliseconds; `null` below two.
    pub jitter_ms: Option<f64>,
}

/// One beat of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it came, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub at: Timestamp,
    /// Its number, if it was ordered.
    pub seq: Option<u64>,
    /// What the member said it was doing.
    pub status: Option<String>,
    /// Its metadata, where it differs from that of the beat before: an empty object if it has none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}
