//! Beats of a kind that only the command line names.

use heartbeat_contract::{Ack, Kind, Payload, WorkerHeartbeat};
use serde_json::{Map, Value};

use crate::relay::letter::id_field;
use crate::{HttpTransport, SendError, Transport};

/// Sends what is told as a worker to the route of another kind, with the id where that kind has it.
pub(super) struct OfKind {
    kind: Kind,
    http: HttpTransport,
    further: Vec<Self>,
}

impl OfKind {
    pub(super) fn over(transport: HttpTransport, kind: Kind) -> Self {
        let (http, further) = transport.split();
        let further = further.into_iter().map(|further| Self::over(further, kind.clone())).collect();
        Self { kind, http, further }
    }
}

impl Transport<WorkerHeartbeat> for OfKind {
    async fn send(&self, beat: WorkerHeartbeat) -> Result<Ack, SendError> {
        let beat = json(&beat, &self.kind).map_err(SendError::unwritable)?;
        self.http.post_of_kind(&self.kind, beat).await
    }

    fn fallbacks(&self) -> &[Self] {
        &self.further
    }

    fn place(&self) -> &str {
        Transport::<WorkerHeartbeat>::place(&self.http)
    }
}

fn json(beat: &WorkerHeartbeat, kind: &Kind) -> serde_json::Result<Vec<u8>> {
    if *kind == Kind::WORKER {
        return serde_json::to_vec(beat);
    }
    let mut fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(beat)?)?;
    let id = fields.remove(WorkerHeartbeat::ID_FIELD).unwrap_or_default();
    fields.insert(id_field(kind), id);
    serde_json::to_vec(&fields)
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{MemberId, WorkerStatus};

    use super::*;

    #[test]
    fn a_beat_of_another_kind_has_its_id_there_and_all_else_as_a_worker() {
        let mut beat = WorkerHeartbeat::new(MemberId::new("a-1").unwrap());
        beat.status = Some(WorkerStatus::Busy);
        let json = |kind: &str| String::from_utf8(json(&beat, &Kind::new(kind).unwrap()).unwrap()).unwrap();
        assert_eq!(json("worker"), r#"{"worker_id":"a-1","status":"busy"}"#);
        assert_eq!(json("job"), r#"{"job_id":"a-1","status":"busy"}"#);
    }
}
