//! Facts that a registry logs, each with a number of its own.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::words::words;
use crate::{Cause, Directive, DirectiveOutcome, HealthState, Kind, LogId, MemberId, ResolvedPolicy, Zone, time};

/// One fact. Numbers within a log have no gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Log and number: `01j9-812`.
    pub id: EventId,
    /// The number within the log, from 1.
    pub n: u64,
    /// When it was concluded, by the registry's wall clock.
    #[serde(with = "time::stamp")]
    pub at: Timestamp,
    /// The kind of the member it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The member it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// The run of the member, if its beats are ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened; the field `type` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventBody {
    /// A member was heard of for the first time.
    Registered {},
    /// A member changed its health state.
    Transition {
        /// The state before.
        from: HealthState,
        /// The state after.
        to: HealthState,
        /// How long it had been silent before, in milliseconds.
        age_ms: u64,
        /// How much of that was not held against it, in milliseconds.
        credited_ms: u64,
        /// When its last beat before came, by the registry's wall clock; absent if none ever had.
        #[serde(default, with = "time::stamp_opt", skip_serializing_if = "Option::is_none")]
        last_seen: Option<Timestamp>,
        /// Why; `null` for a plain recovery or a goodbye.
        cause: Option<Cause>,
        /// What speaks for the cause, in words.
        evidence: Vec<String>,
        /// The number of the event that tells of the whole group, if it is one of many.
        group: Option<u64>,
    },
    /// A member came back as a newer run.
    Restarted {
        /// The run before, if its beats were ordered.
        previous_incarnation: Option<u64>,
    },
    /// A beat of a run that a newer one had replaced was refused.
    Superseded {
        /// The newer run.
        newest_incarnation: u64,
    },
    /// A member is no longer monitored.
    Forgotten {
        /// Why.
        reason: ForgetReason,
    },
    /// The policy of a member was replaced.
    Policy {
        /// What it is judged by now.
        policy: ResolvedPolicy,
    },
    /// A directive was asked of a member, obeyed or given up.
    Directive {
        /// The directive.
        directive: Directive,
        /// What became of it.
        outcome: DirectiveOutcome,
    },
    /// A hive and all members on its host fell silent. Those that fail because of it carry the number of this event as
    /// their `group`, and are not told of one by one.
    HostDown {
        /// The host.
        host: String,
        /// The zone it is in.
        #[serde(default)]
        zone: Zone,
        /// How many members it has, the hive included.
        members: u64,
        /// Those of them that had failed, and were told of, before the whole host was known to be silent: `worker/a`. At
        /// most 100.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed_before: Vec<String>,
    },
    /// The guard against mass silence began to hold members, or ended.
    Protection {
        /// The zone it is about; `_all` is the whole fleet.
        zone: String,
        /// Whether it began.
        active: bool,
        /// How many hosts are silent.
        #[serde(default)]
        silent_hosts: u64,
        /// Of how many that were heard before the first went silent.
        #[serde(default)]
        hosts: u64,
        /// Why it ended, once it has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<ProtectionEnd>,
    },
    /// The registry itself could not listen for too long, or can again.
    RegistryBlind {
        /// How much time was credited, in milliseconds.
        credited_ms: u64,
        /// Within how much time, in milliseconds.
        window_ms: u64,
        /// Whether it began.
        #[serde(default = "yes")]
        active: bool,
    },
    /// A member changes its state too often, so that its alerts are muted; or it has settled.
    Flapping {
        /// The zone it lives in.
        zone: Zone,
        /// Whether it began.
        #[serde(default = "yes")]
        active: bool,
    },
    /// Two live runs use one id.
    DuplicateIdentity {
        /// The addresses their beats come from.
        addresses: Vec<String>,
    },
    /// A type this version does not know.
    #[serde(other)]
    Unknown,
}

const fn yes() -> bool {
    true
}

impl EventBody {
    /// The word in the field `type`.
    #[must_use]
    pub const fn type_word(&self) -> &'static str {
        match self {
            Self::Registered {} => "registered",
            Self::Transition { .. } => "transition",
            Self::Restarted { .. } => "restarted",
            Self::Superseded { .. } => "superseded",
            Self::Forgotten { .. } => "forgotten",
            Self::Policy { .. } => "policy",
            Self::Directive { .. } => "directive",
            Self::HostDown { .. } => "host_down",
            Self::Protection { .. } => "protection",
            Self::RegistryBlind { .. } => "registry_blind",
            Self::Flapping { .. } => "flapping",
            Self::DuplicateIdentity { .. } => "duplicate_identity",
            Self::Unknown => "unknown",
        }
    }
}

words! {
    /// Why a member is no longer monitored.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum ForgetReason {
        /// It had failed or left long ago.
        Expired = "expired",
        /// It was asked for.
        Asked = "asked",
        /// Its last beat was older than a clean-up allowed.
        Stale = "stale",
        /// It made room for a new member.
        Room = "room",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// Why the guard against mass silence holds members no longer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum ProtectionEnd {
        /// Its time was over, or most hosts are heard again.
        Over = "over",
        /// An operator said that the hosts are lost.
        Confirmed = "confirmed",
        /// An operator said that there is nothing to protect.
        Released = "released",
        /// It has become one of the whole fleet, `_all`.
        Widened = "widened",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

/// The number of an event together with its log: `01j9-812`, or a bare `812` where the log is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The log, if told.
    pub log: Option<LogId>,
    /// The number within the log.
    pub n: u64,
}

/// A text that is no event id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no event id: expected a number, or log-number as in 01j9-812")]
pub struct InvalidEventId(String);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.log {
            Some(log) => write!(f, "{log}-{}", self.n),
            None => write!(f, "{}", self.n),
        }
    }
}

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        let refused = || InvalidEventId(text.to_owned());
        let (log, number) = match text.rsplit_once('-') {
            Some((log, number)) => (Some(LogId::new(log).map_err(|_| refused())?), number),
            None => (None, text),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        Ok(Self { log, n: number.parse().map_err(|_| refused())? })
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One page of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventsPage {
    /// The log.
    pub log: LogId,
    /// The oldest number still kept; if there is none yet, the number the first will have.
    pub oldest: u64,
    /// The number that the next event will have.
    pub next: u64,
    /// Whether the number asked for is of another log or no longer kept, so that events may have been missed.
    pub reset: bool,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

/// Told first on a stream of events that was to go on after a number which is of another log or no longer kept, so that
/// events may have been missed. All that is kept follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReset {
    /// The log.
    pub log: LogId,
    /// The oldest number still kept, which follows; if there is none yet, the number the first will have.
    pub oldest: u64,
    /// The number that the next event will have.
    pub next: u64,
}

/// Told last on a stream of events whose reader is so slow that events were dropped before they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsLagged {
    /// The log.
    pub log: LogId,
    /// How many events were dropped before they were sent.
    pub missed: u64,
    /// The oldest number still kept.
    pub oldest: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_are_numbers_with_or_without_their_log() {
        let id: EventId = "01j9-812".parse().unwrap();
        assert_eq!((id.log.as_ref().map(LogId::as_str), id.n), (Some("01j9"), 812));
        assert_eq!(id.to_string(), "01j9-812");
        assert_eq!("812".parse::<EventId>().unwrap(), EventId { log: None, n: 812 });
        for refused in ["", "x", "-1", "01j9-", "01j9-+1", "+1", "99999999999999999999"] {
            assert!(refused.parse::<EventId>().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn an_event_of_an_unknown_type_still_decodes() {
        let json = r#"{"id":"a-1","n":1,"at":"2026-01-02T03:05:40Z","type":"eclipse","moon":true}"#;
        let event: Event = serde_json::from_str(json).unwrap();
        assert_eq!(event.body, EventBody::Unknown);
    }
}
