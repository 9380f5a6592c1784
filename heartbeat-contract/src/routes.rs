//! Where things are, as paths.

use crate::Kind;

/// Many beats at once.
pub const BATCH: &str = "/v1/heartbeats";
/// What the registry knows of itself.
pub const STATS: &str = "/v1/stats";
/// The event log.
pub const EVENTS: &str = "/v1/events";
/// Where the guard against mass silence holds members.
pub const PROTECTION: &str = "/v1/protection";

/// Where an operator says that the hosts of a protection are really lost: `/v1/protection/rack-12/confirm`.
#[must_use]
pub fn confirm_protection(zone: &str) -> String {
    format!("{PROTECTION}/{zone}/confirm")
}

/// Where an operator ends a protection as if its time were over: `/v1/protection/rack-12/release`.
#[must_use]
pub fn release_protection(zone: &str) -> String {
    format!("{PROTECTION}/{zone}/release")
}

/// Where a kind's beats go: `/v1/worker-heartbeat`.
#[must_use]
pub fn beat(kind: &Kind) -> String {
    format!("/v1/{kind}-heartbeat")
}

/// Another path for the same: `/v1/worker/heartbeat`.
#[must_use]
pub fn beat_alias(kind: &Kind) -> String {
    format!("/v1/{kind}/heartbeat")
}

/// The members of a kind: `/v1/workers`.
#[must_use]
pub fn members(kind: &Kind) -> String {
    format!("/v1/{}", kind.plural())
}

/// One member: `/v1/workers/worker-123`. Ids need no escaping in a path.
#[must_use]
pub fn member(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("/v1/{}/{id}", kind.plural())
}

/// The recent beats of a member: `/v1/workers/worker-123/history`.
#[must_use]
pub fn history(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("{}/history", member(kind, id))
}

/// Why a member is in its state: `/v1/workers/worker-123/explain`.
#[must_use]
pub fn explain(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("{}/explain", member(kind, id))
}

/// How a member is judged: `/v1/workers/worker-123/policy`.
#[must_use]
pub fn policy(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("{}/policy", member(kind, id))
}

/// What is asked of a member: `/v1/workers/worker-123/directives`.
#[must_use]
pub fn directives(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("{}/directives", member(kind, id))
}

/// Where a probe of one member's endpoint is asked for: `/v1/workers/worker-123/verify`.
#[must_use]
pub fn verify(kind: &Kind, id: impl std::fmt::Display) -> String {
    format!("{}/verify", member(kind, id))
}
