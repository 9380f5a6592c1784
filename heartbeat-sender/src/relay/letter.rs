//! One beat on its way to the registry.

use std::time::Duration;

use heartbeat_contract::{
    Ack, BeatInfo, DecodeError, HiveHeartbeat, Kind, MAX_INTERVAL, MIN_INTERVAL, MemberId, Payload, Policy, Problem,
    ProblemType, WorkerHeartbeat,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

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
    pub(super) json: Box<RawValue>,
}

impl Sealed {
    /// Reads a beat as far as the relay must: the registry judges the rest.
    pub(super) fn read(kind: Kind, json: &[u8], hive_id: Option<&MemberId>) -> Result<Self, Problem> {
        let unreadable = |error: serde_json::Error| Problem::from(DecodeError::Unreadable(error.to_string()));
        let mut fields: Map<String, Value> = serde_json::from_slice(json).map_err(unreadable)?;
        let id = fields.get(id_field(&kind).as_str()).and_then(Value::as_str).and_then(|id| MemberId::new(id).ok());
        let Some(id) = id else {
            let detail = format!("{}: an id is expected", id_field(&kind));
            return Err(Problem::new(ProblemType::InvalidPayload, detail));
        };
        let told = fields.get("beat").and_then(|told| BeatInfo::deserialize(told).ok()).unwrap_or_default();
        if let Some(hive_id) = hive_id.filter(|_| kind != Kind::HIVE && told.hive_id.is_none()) {
            let told = fields.entry("beat").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(told) = told {
                told.insert("hive_id".to_owned(), Value::String(hive_id.to_string()));
            }
        }
        let interval = told.interval().unwrap_or(Policy::DEFAULT_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let incarnation = told.order().map(|order| order.incarnation);
        let json = serde_json::value::to_raw_value(&fields).map_err(unreadable)?;
        Ok(Self { kind, id, incarnation, interval, json })
    }
}

/// By the custom that all kinds follow.
fn id_field(kind: &Kind) -> String {
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
