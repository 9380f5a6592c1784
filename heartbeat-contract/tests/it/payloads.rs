//! What senders and registries learn of a payload of any kind, through the one trait that both know.

use heartbeat_contract::{
    BeatInfo, HealthState, HealthStatus, HiveHeartbeat, Kind, MemberId, Metadata, Order, Payload, ProcessExit,
    WorkerHeartbeat, WorkerStatus,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A kind that tells no more than it must.
#[derive(Clone, Serialize, Deserialize)]
struct AgentHeartbeat {
    agent_id: MemberId,
    beat: Option<BeatInfo>,
}

impl Payload for AgentHeartbeat {
    const KIND: Kind = Kind::from_static("agent");
    const ID_FIELD: &'static str = "agent_id";

    fn id(&self) -> &MemberId {
        &self.agent_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }
}

fn id(text: &str) -> MemberId {
    MemberId::new(text).unwrap()
}

fn noon() -> Timestamp {
    "2026-01-02T12:00:00Z".parse().unwrap()
}

/// Of a run in which it is the eighth beat, on the host of hive `gpu-7`.
fn eighth() -> BeatInfo {
    BeatInfo { incarnation: Some(5), seq: Some(7), hive_id: Some(id("gpu-7")), ..BeatInfo::default() }
}

/// What the trait tells of a payload, but for its id and `beat`.
type Told<'a> = (
    Option<Timestamp>,
    Option<&'static str>,
    Option<HealthStatus>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    usize,
);

fn told<P: Payload>(payload: &P) -> Told<'_> {
    (
        payload.timestamp(),
        payload.status(),
        payload.self_report(),
        payload.last_error(),
        payload.hive_id().map(MemberId::as_str),
        payload.metadata().map(Metadata::as_json),
        payload.exited().len(),
    )
}

#[track_caller]
fn takes_the_stamp_of_its_sender<P: Payload>(mut payload: P) -> P {
    payload.set_beat(eighth());
    payload.set_timestamp(noon());
    assert_eq!(payload.beat(), Some(&eighth()));
    assert_eq!(payload.beat().unwrap().order(), Some(Order { incarnation: 5, seq: 7 }));
    payload
}

#[test]
fn the_last_error_can_be_set_where_there_is_a_field_for_it() {
    fn error_of(mut payload: impl Payload) -> Option<String> {
        payload.set_last_error("it broke".to_owned());
        payload.last_error().map(str::to_owned)
    }
    let told = Some("it broke".to_owned());
    assert_eq!(error_of(WorkerHeartbeat::new(id("w"))), told);
    assert_eq!(error_of(HiveHeartbeat::new(id("h"))), told);
    assert_eq!(error_of(AgentHeartbeat { agent_id: id("a"), beat: None }), None);
}

#[test]
fn a_payload_that_was_given_nothing_tells_nothing() {
    let nothing: Told<'_> = (None, None, None, None, None, None, 0);
    assert_eq!(told(&WorkerHeartbeat::new(id("w"))), nothing);
    assert_eq!(told(&AgentHeartbeat { agent_id: id("a"), beat: None }), nothing);
    // A hive lives on its own host.
    assert_eq!(told(&HiveHeartbeat::new(id("h"))), (None, None, None, None, Some("h"), None, 0));
    assert_eq!(BeatInfo::default().order(), None);
}

#[test]
fn a_worker_tells_what_it_was_given() {
    let worker = WorkerHeartbeat {
        status: Some(WorkerStatus::Busy),
        health_status: Some(HealthStatus::Degraded),
        last_error: Some("out of memory".to_owned()),
        metadata: Some(Metadata::default()),
        ..WorkerHeartbeat::new(id("w"))
    };
    let worker = takes_the_stamp_of_its_sender(worker);
    let expected: Told<'_> =
        (Some(noon()), Some("busy"), Some(HealthStatus::Degraded), Some("out of memory"), Some("gpu-7"), Some("{}"), 0);
    assert_eq!((worker.id().as_str(), told(&worker)), ("w", expected));
}

#[test]
fn a_hive_tells_what_it_was_given_and_lives_on_its_own_host() {
    let hive = HiveHeartbeat {
        health_status: Some(HealthStatus::Unhealthy),
        last_error: Some("disk full".to_owned()),
        exited: vec![ProcessExit::new(id("w"))],
        metadata: Some(Metadata::new(&serde_json::json!({"rack": 12})).unwrap()),
        ..HiveHeartbeat::new(id("h"))
    };
    let hive = takes_the_stamp_of_its_sender(hive);
    let expected: Told<'_> =
        (Some(noon()), None, Some(HealthStatus::Unhealthy), Some("disk full"), Some("h"), Some(r#"{"rack":12}"#), 1);
    assert_eq!((hive.id().as_str(), told(&hive)), ("h", expected));
}

#[test]
fn a_kind_of_ones_own_has_its_order_and_its_host_from_what_the_protocol_needs() {
    let agent = takes_the_stamp_of_its_sender(AgentHeartbeat { agent_id: id("a"), beat: None });
    assert_eq!(told(&agent), (None, None, None, None, Some("gpu-7"), None, 0));
}

#[test]
fn a_self_report_allows_no_better_state() {
    let states: Vec<_> = HealthStatus::ALL.iter().map(|report| HealthState::from(*report)).collect();
    assert_eq!(states, [HealthState::Healthy, HealthState::Degraded, HealthState::Critical, HealthState::Healthy]);
}

#[test]
fn members_are_online_unless_they_failed_or_left() {
    let online: Vec<_> = HealthState::ALL.iter().filter(|state| state.is_online()).map(|s| s.as_str()).collect();
    assert_eq!(online, ["healthy", "degraded", "critical"]);
}
