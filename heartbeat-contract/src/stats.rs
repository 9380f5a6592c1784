//! What a registry knows of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
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
    /// Where alerts are sent to, in the order in which that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<SinkStats>,
    /// How much of the last minutes the registry itself could not listen.
    #[serde(default)]
    pub blind: BlindStats,
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

/// What became of the alerts that are sent to one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStats {
    /// What it is called.
    pub name: String,
    /// What it speaks.
    pub kind: SinkKind,
    /// Requests that were accepted.
    pub sent: u64,
    /// Attempts that failed: not answered in time, or refused.
    pub failed: u64,
    /// Attempts that were made again.
    pub retried: u64,
    /// Alerts, or ends of alerts, that it was never told of since it did not take them in time, and events that the log
    /// dropped before they could be read.
    pub dropped: u64,
    /// Alerts that were not told of one by one, since one alert tells of a member that flaps or a host that is down.
    pub muted: u64,
    /// Alerts that the cooldown held back, whether they were told later or not.
    pub suppressed: u64,
    /// Alerts that last.
    pub firing: u64,
    /// Why the last attempt that failed did.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When a request was last accepted.
    #[serde(default, with = "time::stamp_opt")]
    pub last_ok: Option<Timestamp>,
}

words! {
    /// What the receiver of alerts speaks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum SinkKind {
        /// One JSON document per alert and end of one.
        Webhook = "webhook",
        /// The API of Prometheus' Alertmanager, version 2.
        Alertmanager = "alertmanager",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

/// How much of the last minutes was held against nobody, since the registry itself could not listen, and how far behind
/// its listener is with reading beats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlindStats {
    /// Whether it is too much: from more than a fifth of the window on until it is a tenth or less. An event
    /// `registry_blind` tells of both.
    pub active: bool,
    /// How much time was credited within the window, in milliseconds.
    pub credited_ms: u64,
    /// The window, in milliseconds.
    pub window_ms: u64,
    /// The first as a share of the second, 0 to 1.
    pub share: f64,
    /// How long the last canary took through the listener and back, in milliseconds; or the one under way has taken, if it
    /// is late. `null` until one has come back.
    pub ingest_lag_ms: Option<u64>,
    /// The longest that one took within the window, in milliseconds.
    pub ingest_lag_max_ms: Option<u64>,
    /// Whether canaries come back.
    pub canary: CanaryState,
    /// Why they cannot be used.
    pub canary_error: Option<String>,
}

words! {
    /// Whether the requests come back that a registry sends to itself, to measure how far behind its listener is.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum CanaryState {
        /// None is sent, so that only stalls of the whole process are credited.
        #[default]
        Off = "off",
        /// They come back in time, or nobody is monitored.
        Ok = "ok",
        /// One is late: the time since it should have come back is credited.
        Late = "late",
        /// None can be sent or comes back, for a reason that is no slowness: nothing is credited for the listener.
        Unusable = "unusable",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}
