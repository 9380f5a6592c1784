//! What a registry knows of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Kind, LogId, time};

/// Totals, rates, and how the registry itself fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The registry's wall clock.
    #[serde(with = "time::stamp")]
    pub server_time: Timestamp,
    /// For how long the registry has run, in milliseconds.
    pub uptime_ms: u64,
    /// All members.
    pub members: MemberStats,
    /// The members of each kind.
    pub kinds: BTreeMap<Kind, MemberStats>,
    /// The beats since the registry was started.
    pub beats: BeatStats,
    /// The event log.
    pub events: EventStats,
    /// How fast failures are noticed.
    pub detection: DetectionStats,
    /// The share of the time of all members in the last 24 h in which they were not failed, 0 to 1; the time in which they
    /// had left does not count. `null` while there were none.
    #[serde(default)]
    pub availability: Option<f64>,
    /// The task that judges.
    pub driver: DriverStats,
    /// Probes of members that became suspect.
    #[serde(default)]
    pub probes: ProbeStats,
}

/// How many members there are, in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[doc(alias = "health_distribution")]
pub struct MemberStats {
    /// All of them.
    #[doc(alias = "total_agents")]
    pub total: u64,
    /// Those healthy.
    pub healthy: u64,
    /// Those degraded.
    pub degraded: u64,
    /// Those critical.
    pub critical: u64,
    /// Those failed.
    pub failed: u64,
    /// Those that left.
    pub left: u64,
}

/// How many beats came, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BeatStats {
    /// Beats that counted.
    #[doc(alias = "total_heartbeats")]
    pub fresh: u64,
    /// Beats that came again or too late, and changed nothing.
    pub duplicate: u64,
    /// Beats that were refused: out of bounds, of an older run, or beyond the member cap.
    pub refused: u64,
    /// Beats that counted, per second, over the last minute.
    pub per_second: f64,
}

/// The event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStats {
    /// The log.
    pub log: LogId,
    /// The oldest number still kept.
    pub oldest: u64,
    /// The number that the next event will have.
    pub next: u64,
}

/// How fast failures are noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionStats {
    /// How many members were found failed.
    pub failures: u64,
    /// The median time from the last beat to the verdict, in milliseconds, over the last failures.
    pub p50_ms: Option<u64>,
    /// The 99th percentile of the same.
    pub p99_ms: Option<u64>,
}

/// Probes of members that became suspect, which say why these are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStats {
    /// How many suspects were looked into, whether they could be probed or not.
    pub done: u64,
    /// How many were dropped unseen, since too many waited.
    pub dropped: u64,
}

/// The task that judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverStats {
    /// Whether it runs.
    #[doc(alias = "monitoring_thread_alive")]
    pub alive: bool,
    /// How often it woke.
    pub sweeps: u64,
    /// How many deadlines it looked at: a member that beats in time costs it nothing.
    pub looked_at: u64,
    /// How often it panicked and was started again.
    pub panics: u64,
    /// How much time was held against nobody, in milliseconds, since the registry itself could not listen.
    pub credited_ms: u64,
}
