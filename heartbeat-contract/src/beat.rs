//! What the protocol itself needs of a beat.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::{Exit, MemberId, Zone, field};

/// The shortest interval a member may beat at.
pub const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// The longest interval a member may beat at.
pub const MAX_INTERVAL: Duration = Duration::from_hours(24);
/// The largest incarnation, seq or tick: 2^53 - 1, the last integer that every JSON reader keeps exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The object `beat` of a heartbeat: order, schedule, whereabouts and progress. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatInfo {
    /// One run of the member's process: microseconds since the epoch at its start. Comes with `seq` or not at all.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// Counts the beats of an incarnation from 0; a retry keeps its number.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The sender's configured interval in milliseconds, 100 ms to 24 h; never one that it was slowed to.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// Where the member answers health probes, as an absolute URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The hive on whose host the member lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hive_id: Option<MemberId>,
    /// The failure domain the member lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// How the member's work gets on.
    #[serde(default, deserialize_with = "field::object_opt", skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// How late the application's runtime ran a small task, in milliseconds.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub runtime_lag_ms: Option<u64>,
    /// How long the previous beat took to be answered, in milliseconds.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u64>,
    /// How long the sender's machine slept since the previous beat that was acknowledged, in milliseconds; absent if it did
    /// not, or the sender cannot tell.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub slept_ms: Option<u64>,
    /// The number of the schedule slot this beat was sent for, from 0 again when the interval changes; absent on beats
    /// sent off schedule.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub tick: Option<u64>,
    /// Makes this beat a goodbye, and says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<String>,
    /// Makes this beat the last of its run, but no goodbye: its process ended unasked, and this is how.
    #[serde(default, deserialize_with = "field::object_opt", skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a member's work gets on, so that being alive is not mistaken for working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether there is work in hand.
    #[serde(default)]
    pub busy: bool,
    /// How much is done so far, in units of the member's choice; it only grows.
    #[serde(default, deserialize_with = "field::whole")]
    pub done: u64,
    /// How long ago `done` last grew or the member got busy, in milliseconds.
    #[serde(default, deserialize_with = "field::whole")]
    pub age_ms: u64,
}

/// The place of a beat among all beats of its member: first by incarnation, then by seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// The run of the process, in microseconds since the epoch at its start.
    pub incarnation: u64,
    /// The number of the beat within the run, from 0.
    pub seq: u64,
}

impl BeatInfo {
    /// The place of this beat in its member's order, if it tells one.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        Some(Order { incarnation: self.incarnation?, seq: self.seq? })
    }

    /// The declared interval, if it tells one.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval_ms.map(Duration::from_millis)
    }

    pub(crate) fn validate(&self, violations: &mut Violations) {
        violations.at_most("/beat/incarnation", self.incarnation, MAX_SAFE_INTEGER);
        violations.at_most("/beat/seq", self.seq, MAX_SAFE_INTEGER);
        violations.at_most("/beat/tick", self.tick, MAX_SAFE_INTEGER);
        match (self.incarnation, self.seq) {
            (Some(_), None) => violations.add("/beat/seq", "missing, though incarnation is given"),
            (None, Some(_)) => violations.add("/beat/incarnation", "missing, though seq is given"),
            _ => {}
        }
        if let Some(interval) = self.interval()
            && !(MIN_INTERVAL..=MAX_INTERVAL).contains(&interval)
        {
            violations.add("/beat/interval_ms", format_args!("{} is outside 100 to 86400000", interval.as_millis()));
        }
        violations.short("/beat/endpoint", self.endpoint.as_deref());
        violations.short("/beat/leaving", self.leaving.as_deref());
        if self.leaving.is_some() && self.exit.is_some() {
            violations.add("/beat/exit", "given, though leaving is: a run ends in one way");
        }
    }
}
