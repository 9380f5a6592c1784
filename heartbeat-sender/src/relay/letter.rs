//! One beat on its way to the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_contract::{
    Ack, BeatInfo, DecodeError, HiveHeartbeat, Kind, MAX_INTERVAL, MIN_INTERVAL, MemberId, Payload, Policy, Problem,
    ProblemType, WorkerHeartbeat,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::oneshot;

/// An object whose values stay as they are to the byte.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// What becomes of a beat.
pub(super) type Answer = Result<Ack, Problem>;

/// A beat, and who waits for its answer.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) beat: Sealed,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// A beat as it is passed on, with what the relay has to know of it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) kind: Kind,
    pub(super) id: MemberId,
    /// The run, if the beat has an order.
    pub(super) incarnation: Option<u64>,
    /// How often it declares to beat.
    pub(super) interval: Duration,
    /// Whether its run ends with it.
    pub(super) is_last: bool,
    pub(super) json: Box<RawValue>,
}

impl Sealed {
    /// Reads a beat as far as the relay must: the registry judges the rest, which stays as it is to the byte.
    pub(super) fn read(kind: Kind, json: &[u8], hive_id: Option<&MemberId>) -> Result<Self, Problem> {
        let unreadable = |error: serde_json::Error| Problem::from(DecodeError::Unreadable(error.to_string()));
        let mut fields: Fields = serde_json::from_slice(json).map_err(unreadable)?;
        let id_field = id_field(&kind);
        let id: Option<MemberId> = fields.get(&id_field).and_then(|id| serde_json::from_str(id.get()).ok());
        let id =
            id.ok_or_else(|| Problem::new(ProblemType::InvalidPayload, format!("{id_field}: an id is expected")))?;
        let told: Option<BeatInfo> = fields.get("beat").and_then(|told| serde_json::from_str(told.get()).ok());
        let told = told.unwrap_or_default();
        if let Some(hive_id) = hive_id.filter(|_| kind != Kind::HIVE && told.hive_id.is_none()) {
            tell_hive(&mut fields, hive_id).map_err(unreadable)?;
        }
        Ok(Self {
            kind,
            id,
            incarnation: told.order().map(|order| order.incarnation),
            interval: told.interval().unwrap_or(Policy::DEFAULT_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL),
            is_last: told.leaving.is_some() || told.exit.is_some(),
            json: to_raw_value(&fields).map_err(unreadable)?,
        })
    }
}

/// Adds a hive to the object `beat`; anything else in its place is left for the registry to refuse.
fn tell_hive(fields: &mut Fields, hive_id: &MemberId) -> serde_json::Result<()> {
    let told = fields.get("beat").map_or(Ok(Fields::new()), |told| serde_json::from_str(told.get()));
    if let Ok(mut told) = told {
        told.insert("hive_id".to_owned(), to_raw_value(hive_id)?);
        fields.insert("beat".to_owned(), to_raw_value(&told)?);
    }
    Ok(())
}

/// By the custom that all kinds follow.
pub(crate) fn id_field(kind: &Kind) -> String {
    match kind {
        kind if *kind == Kind::WORKER => WorkerHeartbeat::ID_FIELD.to_owned(),
        kind if *kind == Kind::HIVE => HiveHeartbeat::ID_FIELD.to_owned(),
        kind => format!("{kind}_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Sealed, Problem> {
        Sealed::read(Kind::WORKER, json.as_bytes(), Some(&MemberId::new("hive-7").unwrap()))
    }

    #[test]
    fn a_beat_that_names_no_hive_is_told_as_of_the_relays() {
        let told = |json| read(json).unwrap().json.get().to_owned();
        assert_eq!(told(r#"{"worker_id":"w"}"#), r#"{"beat":{"hive_id":"hive-7"},"worker_id":"w"}"#);
        let odd = r#"{"beat":{"future":1.50,"hive_id":"hive-7"},"worker_id":"w"}"#;
        assert_eq!(told(r#"{"beat":{"future":1.50},"worker_id":"w"}"#), odd);
        let wrong = r#"{"beat":7,"worker_id":"w"}"#;
        assert_eq!(told(wrong), wrong);
        let other = r#"{"beat":{"hive_id":"hive-8"},"worker_id":"w"}"#;
        assert_eq!(told(other), other);
    }

    #[test]
    fn what_the_registry_has_to_judge_is_passed_on_as_it_is() {
        let sealed = read(r#"{"worker_id":"w","queue_depth":-1,"beat":{"incarnation":7,"seq":0,"interval_ms":2000}}"#);
        let sealed = sealed.unwrap();
        assert!(sealed.json.get().contains(r#""queue_depth":-1"#));
        assert_eq!((sealed.incarnation, sealed.interval), (Some(7), Duration::from_secs(2)));
        assert_eq!(read(r#"{"worker_id":"w"}"#).unwrap().interval, Duration::from_secs(30));
    }

    #[test]
    fn what_is_no_beat_is_refused_here() {
        assert_eq!(read("{").unwrap_err().status, 400);
        assert_eq!(read(r#"{"worker_id":" "}"#).unwrap_err().status, 422);
        assert_eq!(read(r#"{"hive_id":"h"}"#).unwrap_err().status, 422);
    }
}
