//! Where things are, as paths.

use crate::Kind;

/// Many beats at once.
pub const BATCH: &str = "/v1/heartbeats";
/// What the registry knows of itself.
pub const STATS: &str = "/v1/stats";
/// The event log.
pub const EVENTS: &str = "/v1/events";

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
