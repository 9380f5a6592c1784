//! What a registry answers to a beat.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Directive, Kind, time};

/// The answer to an accepted beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Always true: a beat that is not accepted is answered with a problem.
    pub acknowledged: bool,
    /// The registry's wall clock.
    #[serde(with = "time::stamp")]
    pub server_time: Timestamp,
    /// In how many milliseconds to send the next beat: the declared interval, up to ten times that under load or by an
    /// operator's policy.
    pub next_in_ms: u64,
    /// What is asked of the member; empty most of the time.
    #[serde(default)]
    pub directives: Vec<Directive>,
}

impl Ack {
    /// In how long to send the next beat.
    #[must_use]
    pub fn next_in(&self) -> Duration {
        Duration::from_millis(self.next_in_ms)
    }
}

/// The answer to a batch of beats: one bad item never spoils the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// How many items were accepted.
    pub accepted: u64,
    /// The items that were not.
    pub rejected: Vec<Rejected>,
    /// The items that are asked something, or granted another interval than `next_in_ms`.
    pub acks: Vec<BatchAck>,
    /// The registry's wall clock.
    #[serde(with = "time::stamp")]
    pub server_time: Timestamp,
    /// The smallest interval granted to any item, in milliseconds.
    pub next_in_ms: u64,
}

/// One item of a batch that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The kind of the array it stood in.
    pub kind: Kind,
    /// Its place in that array, from 0.
    pub index: u64,
    /// What it gave as its id, if that was a text; cut to 256 bytes.
    pub id: Option<String>,
    /// The last segment of the problem's type, such as `invalid-payload`.
    #[serde(rename = "type")]
    pub problem: String,
    /// What is wrong.
    pub detail: String,
    /// The newest run of the member, with `stale-incarnation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_incarnation: Option<u64>,
}

/// The ack of one item of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAck {
    /// The kind of the member.
    pub kind: Kind,
    /// The id of the member.
    pub id: crate::MemberId,
    /// In how many milliseconds to send its next beat.
    pub next_in_ms: u64,
    /// What is asked of it.
    pub directives: Vec<Directive>,
}
