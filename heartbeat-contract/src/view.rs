//! What a registry shows of a member.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words::words;
use crate::{Cause, Directive, HealthState, HealthStatus, Kind, MemberId, ResolvedPolicy, Zone, time};

/// All that a registry knows of a member. Every key is always there; `null` means unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[doc(alias = "WorkerInfo")]
#[doc(alias = "WorkerState")]
pub struct MemberView {
    /// The kind of the member.
    pub kind: Kind,
    /// The id of the member.
    pub id: MemberId,
    /// What the registry concludes.
    pub state: HealthState,
    /// Why, if the state is worse than healthy.
    pub cause: Option<Cause>,
    /// What speaks for the cause, in words.
    pub evidence: Vec<String>,
    /// What keeps the member from failed just now.
    pub holds: Vec<HoldView>,
    /// What else is notable.
    pub flags: Vec<Flag>,
    /// Where the member lives.
    pub host: String,
    /// How the host is known.
    pub host_from: HostFrom,
    /// The hive on whose host it lives, if told.
    pub hive_id: Option<MemberId>,
    /// The failure domain it lives in.
    pub zone: Zone,
    /// The address its beats come from; `null` in process.
    pub address: Option<String>,
    /// Where beats under its id come from while two live runs use it: the older run's address, then the newer's. Empty as
    /// long as there is but one.
    #[serde(default)]
    pub rivals: Vec<String>,
    /// Where it answers health probes, if told.
    pub endpoint: Option<String>,
    /// How long it has been silent, in milliseconds: the true age, whatever is credited. A member that never beat ages from
    /// the start of its monitoring.
    pub age_ms: u64,
    /// How much of that age is not held against it, in milliseconds, since the registry itself could not listen.
    pub credited_ms: u64,
    /// When its last beat came, by the registry's wall clock.
    #[serde(with = "time::stamp_opt")]
    #[doc(alias = "last_heartbeat")]
    pub last_seen: Option<Timestamp>,
    /// When it was first known, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub first_seen: Timestamp,
    /// How far away each edge is; `null` once it left.
    pub deadlines: Option<Deadlines>,
    /// What is added to each edge just now, in milliseconds: the allowance of the policy, or what the adaptive detector
    /// learnt.
    #[serde(default)]
    pub allowance_ms: Option<u64>,
    /// How surprising its silence is, by its own arrivals, where the adaptive detector judges: with the time since its
    /// next beat was expected, and the mean deviation of its beats, `log10(1 + (lateness / deviation)^2)`, after
    /// Cantelli's inequality. For people to look at: nothing is decided by it.
    #[serde(default)]
    pub suspicion: Option<f64>,
    /// What it says it is doing.
    pub status: Option<String>,
    /// How it says it feels.
    pub self_report: Option<HealthStatus>,
    /// The interval it declares, in milliseconds.
    pub interval_ms: Option<u64>,
    /// What it is judged by.
    pub policy: ResolvedPolicy,
    /// Whether its beats carry incarnation and seq.
    pub ordered: bool,
    /// Its newest run, if its beats are ordered.
    pub incarnation: Option<u64>,
    /// Its newest beat, if its beats are ordered.
    pub seq: Option<u64>,
    /// The share of its beats that never arrived, 0 to 1, by gaps in seq.
    pub loss_rate: Option<f64>,
    /// The same of the newest 64 beats.
    #[serde(default)]
    pub recent_loss_rate: Option<f64>,
    /// How often it came back as a newer run.
    pub restarts: u64,
    /// How often it recovered lately: each recovery counts for one, and for half as much after 10 minutes, or 20 intervals
    /// if that is longer. It flaps from 3 on, and until the score is below 1.
    #[serde(default)]
    pub flap_score: f64,
    /// The share of the last 24 h, or since it is known, in which it was not failed, 0 to 1; the time in which it had left,
    /// and that in which the registry could not listen, does not count.
    #[serde(default)]
    pub availability: Option<f64>,
    /// How far its wall clock is ahead of the registry's, in milliseconds, by its newest beat.
    pub skew_ms: Option<i64>,
    /// The round trip it reported last, in milliseconds.
    pub rtt_ms: Option<u64>,
    /// How late its runtime ran a small task, in milliseconds, as reported last.
    #[serde(default)]
    pub runtime_lag_ms: Option<u64>,
    /// How long its machine slept before its newest beat, in milliseconds; `null` if it did not, or cannot tell.
    #[serde(default)]
    pub slept_ms: Option<u64>,
    /// What it is asked and has not yet done.
    pub directives: Vec<Directive>,
    /// Its newest beat; `null` if it never beat, or a kind of your own cannot be written as JSON.
    pub payload: Option<Value>,
}

/// How far away each edge is, in milliseconds of the registry's own clock; negative once passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Until it is degraded, if no beat comes.
    pub degraded_in_ms: i64,
    /// Until it is critical, if no beat comes.
    pub critical_in_ms: i64,
    /// Until it is failed, if no beat comes and nothing holds it.
    pub failed_in_ms: i64,
}

/// A reason not to promote a member to failed just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    #[serde(with = "time::stamp")]
    pub since: Timestamp,
    /// Until when, unless it is released before.
    #[serde(with = "time::stamp")]
    pub until: Timestamp,
}

words! {
    /// Why a member is kept from failed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum HoldReason {
        /// It never beat and is given time to start.
        StartupGrace = "startup_grace",
        /// Too many hosts fell silent at once to believe that all of them died.
        MassSilence = "mass_silence",
        /// It answers a probe, so that its network is to blame.
        Network = "network",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// Something notable of a member beside its state.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Flag {
        /// Its runtime lags behind.
        Overloaded = "overloaded",
        /// It changes state too often; its alerts are muted.
        Flapping = "flapping",
        /// Two live runs use its id.
        DuplicateIdentity = "duplicate_identity",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// How the host of a member is known.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum HostFrom {
        /// The member told its hive.
        HiveId = "hive_id",
        /// The address its beats come from.
        Address = "address",
        /// Its beats are recorded in process.
        Local = "local",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

/// One page of members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembersPage {
    /// The members, in a stable order.
    pub members: Vec<MemberView>,
    /// What to ask for to get the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// How many match in all, where that is counted anyway.
    pub total: Option<u64>,
}
