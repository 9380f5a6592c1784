//! What became of one question to one member.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{HealthState, Kind, MemberId, time};

/// What one probe of a member's endpoint found. Every key is always there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// The kind of the member.
    pub kind: Kind,
    /// The id of the member.
    pub id: MemberId,
    /// What was found.
    pub outcome: ProbeOutcome,
    /// The same in words, with what the answer said.
    pub detail: String,
    /// The status of the answer; `null` if none came.
    pub http_status: Option<u16>,
    /// What was asked, without credentials.
    pub url: String,
    /// When the probe began, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether this is the finding of a probe that had ended before it was asked for, a moment ago.
    pub cached: bool,
    /// What the registry concluded of the member when the probe began.
    pub state: HealthState,
}

impl Verification {
    /// Whether the member answered and called itself healthy.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.outcome == ProbeOutcome::Healthy
    }
}

words! {
    /// What a probe found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum ProbeOutcome {
        /// It answered with success.
        Healthy = "healthy",
        /// It answered, but not with success.
        Unhealthy = "unhealthy",
        /// It took the connection and gave no whole answer in time: it hangs, or is overloaded.
        Hung = "hung",
        /// Its host lives, but nothing listens on the port: the process is gone.
        Refused = "refused",
        /// Nobody took the connection in time: its host is down, or packets get lost.
        ConnectTimeout = "connect_timeout",
        /// There is no route to its host, or a firewall forbids it.
        Unreachable = "unreachable",
        /// The name of its host leads to no address.
        Unresolved = "unresolved",
        /// It took the connection and closed it before the whole answer had come.
        Closed = "closed",
        /// It sent the probe elsewhere, where probes do not follow: probably not the endpoint that was meant.
        Redirect = "redirect",
        /// Something answered that does not speak HTTP.
        NotHttp = "not_http",
        /// It took the connection, but TLS could not be agreed on.
        TlsFailed = "tls_failed",
        /// Nothing of the above, or a word this version does not know; never a sign of health.
        Unknown = "unknown",
    }
    fallback Unknown;
}
