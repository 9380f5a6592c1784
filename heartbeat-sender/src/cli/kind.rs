//! Beats of a kind that only the command line names.

use heartbeat_contract::{Ack, Kind, MemberId, Payload, WorkerHeartbeat};
use serde_json::value::to_raw_value;

use super::Failed;
use crate::relay::letter::{Fields, id_field};
use crate::{HttpTransport, SendError, Transport};

/// What the contract has for every kind. All else in a beat of one's own kind is its own.
const OF_EVERY_KIND: [&str; 5] = ["beat", "last_error", "metadata", "metrics", "timestamp"];

/// Sends what is told as a worker to the route of another kind, with the id where that kind has it.
pub(super) struct OfKind {
    kind: Kind,
    http: HttpTransport,
    /// Fields beside those of a worker.
    own: Fields,
    further: Vec<Self>,
}

impl OfKind {
    pub(super) fn over(transport: HttpTransport, kind: &Kind, own: &Fields) -> Self {
        let (http, further) = transport.split();
        let further = further.into_iter().map(|further| Self::over(further, kind, own)).collect();
        Self { kind: kind.clone(), http, own: own.clone(), further }
    }
}

impl Transport<WorkerHeartbeat> for OfKind {
    async fn send(&self, beat: WorkerHeartbeat) -> Result<Ack, SendError> {
        let beat = json(&beat, &self.kind, &self.own).map_err(SendError::unwritable)?;
        self.http.post_of_kind(&self.kind, beat).await
    }

    fn fallbacks(&self) -> &[Self] {
        &self.further
    }

    fn place(&self) -> &str {
        Transport::<WorkerHeartbeat>::place(&self.http)
    }
}

/// What of a beat can be read as a worker's, with the id where a worker has it, and what is its kind's own.
pub(super) fn divided(kind: &Kind, mut fields: Fields) -> Result<(Fields, Fields), Failed> {
    if *kind == Kind::WORKER {
        return Ok((fields, Fields::new()));
    }
    let name = id_field(kind);
    let id = fields.remove(&name);
    if let Some(id) = &id {
        serde_json::from_str::<MemberId>(id.get()).map_err(|error| Failed::usage(format!("{name}: {error}")))?;
    }
    let (mut shared, own): (Fields, Fields) =
        fields.into_iter().partition(|(name, _)| OF_EVERY_KIND.contains(&name.as_str()));
    shared.extend(id.map(|id| (WorkerHeartbeat::ID_FIELD.to_owned(), id)));
    Ok((shared, own))
}

fn json(beat: &WorkerHeartbeat, kind: &Kind, own: &Fields) -> serde_json::Result<Vec<u8>> {
    if *kind == Kind::WORKER {
        return serde_json::to_vec(beat);
    }
    let mut told: Fields = serde_json::from_slice(&serde_json::to_vec(beat)?)?;
    told.remove(WorkerHeartbeat::ID_FIELD);
    told.insert(id_field(kind), to_raw_value(&beat.worker_id)?);
    let mut fields = own.clone();
    fields.extend(told);
    serde_json::to_vec(&fields)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::WorkerStatus;

    use super::*;

    fn told(kind: &str, beat: &WorkerHeartbeat, own: &Fields) -> String {
        String::from_utf8(json(beat, &Kind::new(kind).unwrap(), own).unwrap()).unwrap()
    }

    #[test]
    fn a_beat_of_another_kind_has_its_id_there_and_all_else_as_a_worker() {
        let mut beat = WorkerHeartbeat::new(MemberId::new("a-1").unwrap());
        beat.status = Some(WorkerStatus::Busy);
        assert_eq!(told("worker", &beat, &Fields::new()), r#"{"worker_id":"a-1","status":"busy"}"#);
        assert_eq!(told("job", &beat, &Fields::new()), r#"{"job_id":"a-1","status":"busy"}"#);
    }

    #[test]
    fn fields_of_a_kind_of_ones_own_stay_as_they_are_to_the_byte() {
        let json = r#"{"job_id":"a-1","last_error":"e","queue_depth":"long","step":1.50,"worker_id":7}"#;
        let (shared, own) = divided(&Kind::new("job").unwrap(), serde_json::from_str(json).unwrap()).unwrap();
        let beat: WorkerHeartbeat = heartbeat_contract::decode(&serde_json::to_vec(&shared).unwrap()).unwrap();
        assert_eq!(told("job", &beat, &own), json);
    }
}
