//! Payloads that must always decode, and encode to the same again.

use heartbeat_contract::{
    Ack, AskedDirective, Batch, BatchAnswer, CanaryState, Event, EventBody, EventsLagged, EventsPage, EventsReset,
    Explanation, HistoryPage, HiveHeartbeat, MemberView, MembersPage, Payload, Policy, ProbeOutcome, Problem,
    ProblemType, ProtectionsPage, ResolvedPolicy, SinkKind, Stats, Verification, WorkerHeartbeat, decode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../golden/", $name, ".json"))
    };
}

/// Times may be written with more or fewer digits.
fn with_times_alike(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => {
            if let Ok(at) = text.parse::<jiff::Timestamp>() {
                *text = at.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = with_times_alike(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = with_times_alike(field.take())),
        _ => {}
    }
    value
}

#[track_caller]
fn round_trips<T: DeserializeOwned + Serialize>(json: &str) -> T {
    let decoded: T = serde_json::from_str(json).unwrap();
    let expected = with_times_alike(serde_json::from_str(json).unwrap());
    assert_eq!(with_times_alike(serde_json::to_value(&decoded).unwrap()), expected);
    decoded
}

#[track_caller]
fn beat_round_trips<P: Payload>(json: &str) -> P {
    let beat: P = decode(json.as_bytes()).unwrap();
    round_trips::<P>(json);
    beat
}

#[test]
fn worker_beats_round_trip() {
    beat_round_trips::<WorkerHeartbeat>(golden!("worker_minimal"));
    let rich: WorkerHeartbeat = beat_round_trips(golden!("worker_rich"));
    assert_eq!(rich.gpu_utilization, Some(0.45));
    let full: WorkerHeartbeat = beat_round_trips(golden!("worker_full"));
    let info = full.beat().unwrap();
    assert_eq!(info.tick, Some(8));
    assert_eq!(info.progress.unwrap().done, 9213);
    assert_eq!(full.metadata().unwrap().as_json().replace([' ', '\n'], ""), r#"{"job":"nightly-7"}"#);
    let goodbye: WorkerHeartbeat = beat_round_trips(golden!("worker_goodbye"));
    assert_eq!(goodbye.beat().unwrap().leaving.as_deref(), Some("shutdown"));
    let exit: WorkerHeartbeat = beat_round_trips(golden!("worker_exit"));
    assert_eq!(exit.beat().unwrap().exit.unwrap().to_string(), "process 4711 exited with status 3");
}

#[test]
fn hive_beats_round_trip() {
    beat_round_trips::<HiveHeartbeat>(golden!("hive_minimal"));
    let stats: HiveHeartbeat = beat_round_trips(golden!("hive_stats"));
    assert_eq!(stats.vram_per_device.unwrap().len(), 2);
    let figures: HiveHeartbeat = beat_round_trips(golden!("hive_figures"));
    assert_eq!(figures.vram_per_device.as_ref().unwrap()[0].power_watts, Some(612.5));
    let words: Vec<String> = figures.failing_sources().iter().map(ToString::to_string).collect();
    assert_eq!(words, ["nvidia hangs", "disk fails: Stale file handle (os error 116)", "temperature hangs"]);
    let exits: HiveHeartbeat = beat_round_trips(golden!("hive_exits"));
    let words: Vec<String> = exits.exited().iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        ["process 4711 was ended by signal 9", "process 4712 exited with status 3", "its process is gone"]
    );
}

#[test]
fn stats_of_a_registry_that_sends_no_alerts_say_nothing_of_them() {
    let mut json: Value = serde_json::from_str(golden!("stats")).unwrap();
    json.as_object_mut().unwrap().remove("alerts");
    let stats: Stats = round_trips(&json.to_string());
    assert_eq!(stats.alerts, []);
}

#[test]
fn batches_round_trip() {
    let batch = Batch::parse(golden!("batch").as_bytes()).unwrap();
    let arrays: Vec<_> = batch.arrays().map(|(plural, items)| (plural, items.unwrap())).collect();
    assert_eq!((arrays[0].0, arrays[0].1.len()), ("workers", 2));
    assert_eq!((arrays[1].0, arrays[1].1.len()), ("hives", 1));
    assert!(decode::<WorkerHeartbeat>(arrays[0].1[0].get().as_bytes()).is_ok());
    let refused = decode::<WorkerHeartbeat>(arrays[0].1[1].get().as_bytes()).unwrap_err().to_string();
    let answer: BatchAnswer = round_trips(golden!("batch_answer"));
    assert_eq!(refused, answer.rejected[0].detail);
}

#[test]
fn answers_round_trip() {
    let ack: Ack = round_trips(golden!("ack"));
    assert_eq!(ack.next_in().as_millis(), u128::from(ack.next_in_ms));
    round_trips::<ResolvedPolicy>(golden!("policy"));
    round_trips::<MemberView>(golden!("view"));
    round_trips::<MembersPage>(golden!("members_page"));
    let stats: Stats = round_trips(golden!("stats"));
    assert_eq!(stats.alerts[0].kind, SinkKind::Alertmanager);
    round_trips::<HistoryPage>(golden!("history"));
    round_trips::<Explanation>(golden!("explanation"));
    round_trips::<AskedDirective>(golden!("asked_directive"));
    round_trips::<Event>(golden!("event_transition"));
    round_trips::<EventsPage>(golden!("events_page"));
    let every = round_trips::<EventsPage>(golden!("events_of_every_type"));
    for event in every.events {
        assert_ne!(event.body, EventBody::Unknown);
        assert_eq!(serde_json::to_value(&event.body).unwrap()["type"], event.body.type_word());
    }
    round_trips::<ProtectionsPage>(golden!("protections"));
    round_trips::<EventsReset>(golden!("events_reset"));
    round_trips::<EventsLagged>(golden!("events_lagged"));
}

#[test]
fn stats_of_a_registry_that_does_not_tell_how_blind_it_is_decode() {
    let mut older: Value = serde_json::from_str(golden!("stats")).unwrap();
    older.as_object_mut().unwrap().remove("blind");
    let stats: Stats = serde_json::from_value(older).unwrap();
    assert_eq!((stats.blind.active, stats.blind.canary), (false, CanaryState::Off));
}

#[test]
fn verifications_round_trip_and_a_new_word_is_no_sign_of_health() {
    let answered: Verification = round_trips(golden!("verification"));
    assert_eq!((answered.outcome, answered.http_status), (ProbeOutcome::Unhealthy, Some(503)));
    round_trips::<Verification>(golden!("verification_without_answer"));
    let newer = golden!("verification").replace("unhealthy", "dazed");
    let newer: Verification = serde_json::from_str(&newer).unwrap();
    assert!(newer.outcome == ProbeOutcome::Unknown && !newer.is_healthy());
    assert!(Verification { outcome: ProbeOutcome::Healthy, ..newer }.is_healthy());
}

#[test]
fn a_resolved_policy_is_also_a_policy() {
    let policy = Policy::decode(golden!("policy").as_bytes()).unwrap();
    let resolved: ResolvedPolicy = serde_json::from_str(golden!("policy")).unwrap();
    assert_eq!(policy.resolve(None, None), resolved);
}

#[test]
fn a_view_has_every_key_also_when_nothing_is_known() {
    let mut view: Value = serde_json::from_str(golden!("view")).unwrap();
    let keys = view.as_object().unwrap().len();
    let optional = [
        "cause",
        "hive_id",
        "address",
        "endpoint",
        "last_seen",
        "deadlines",
        "allowance_ms",
        "suspicion",
        "status",
        "self_report",
        "interval_ms",
        "incarnation",
        "seq",
        "loss_rate",
        "recent_loss_rate",
        "availability",
        "skew_ms",
        "rtt_ms",
        "runtime_lag_ms",
        "slept_ms",
        "payload",
    ];
    for key in optional {
        view[key] = Value::Null;
    }
    let decoded: MemberView = serde_json::from_value(view).unwrap();
    assert_eq!(serde_json::to_value(decoded).unwrap().as_object().unwrap().len(), keys);
}

#[test]
fn what_a_registry_of_an_older_version_shows_still_decodes() {
    let old: MemberView = serde_json::from_str(golden!("view_of_an_older_registry")).unwrap();
    assert!(old.allowance_ms.is_none() && old.availability.is_none() && old.rivals.is_empty());
    let new: MemberView = serde_json::from_str(golden!("view")).unwrap();
    assert_eq!(old.policy, new.policy);
    let without = |json: &str, key: &str| {
        let mut value: Value = serde_json::from_str(json).unwrap();
        value.as_object_mut().unwrap().remove(key).unwrap();
        value
    };
    assert!(serde_json::from_value::<Stats>(without(golden!("stats"), "availability")).is_ok());
    assert!(serde_json::from_value::<Explanation>(without(golden!("explanation"), "flags")).is_ok());
}

#[test]
fn problems_round_trip_and_are_what_decoding_answers() {
    let stale: Problem = round_trips(golden!("problem_stale_incarnation"));
    assert_eq!(stale.problem_type(), Some(ProblemType::StaleIncarnation));
    let invalid: Problem = round_trips(golden!("problem_invalid_payload"));
    let refused = decode::<WorkerHeartbeat>(br#"{"worker_id": "worker-123", "queue_depth": -1}"#).unwrap_err();
    assert_eq!(Problem::from(refused), invalid);
    let unreadable = Problem::from(decode::<WorkerHeartbeat>(b"{").unwrap_err());
    assert_eq!((unreadable.status, unreadable.problem_type()), (400, Some(ProblemType::InvalidPayload)));
}

#[test]
fn an_event_of_a_registry_that_does_not_tell_whether_it_began_did_begin() {
    for fields in
        [r#""type": "flapping", "zone": "z""#, r#""type": "registry_blind", "credited_ms": 1, "window_ms": 2"#]
    {
        let json = format!(r#"{{"id": "a-1", "n": 1, "at": "2026-01-02T03:05:40Z", {fields}}}"#);
        let event: Event = serde_json::from_str(&json).unwrap();
        let (EventBody::Flapping { active, .. } | EventBody::RegistryBlind { active, .. }) = event.body else {
            panic!()
        };
        assert!(active, "{fields}");
    }
}
