//! Bodies that are no beats, and what is said of them.

use heartbeat_contract::{DecodeError, HiveHeartbeat, WorkerHeartbeat, decode};

#[track_caller]
fn refusal(json: &str) -> String {
    decode::<WorkerHeartbeat>(json.as_bytes()).unwrap_err().to_string()
}

/// A worker's beat with more fields.
fn with(fields: &str) -> String {
    format!(r#"{{"worker_id": "w", {fields}}}"#)
}

#[test]
fn a_refusal_names_the_field_the_value_and_the_limit() {
    assert_eq!(refusal("{}"), "missing field `worker_id`");
    assert_eq!(refusal(r#"{"worker_id": 7}"#), "worker_id: invalid type: integer `7`, expected an id");
    assert_eq!(refusal(r#"{"worker_id": ""}"#), "worker_id: an id must not be empty");
    assert_eq!(refusal(&with(r#""queue_depth": -1"#)), "queue_depth: -1 is below 0");
    assert_eq!(refusal(&with(r#""queue_depth": 5000000000"#)), "queue_depth: 5000000000 is above 4294967295");
    assert_eq!(refusal(&with(r#""queue_depth": 1.5"#)), "queue_depth: 1.5 is not a whole number from 0 to 4294967295");
    assert_eq!(
        refusal(&with(r#""queue_depth": "3""#)),
        r#"queue_depth: invalid type: string "3", expected a whole number from 0 to 4294967295"#
    );
    assert_eq!(refusal(&with(r#""gpu_utilization": 1.5"#)), "gpu_utilization: 1.5 is above 1");
    assert_eq!(refusal(&with(r#""gpu_utilization": 1e999"#)), "gpu_utilization: number out of range");
    assert_eq!(refusal(&with(r#""beat": {"interval_ms": 99}"#)), "beat.interval_ms: 99 is outside 100 to 86400000");
    assert_eq!(refusal(&with(r#""beat": {"seq": 1}"#)), "beat.incarnation: missing, though seq is given");
    assert_eq!(refusal(&with(r#""beat": {"incarnation": 1}"#)), "beat.seq: missing, though incarnation is given");
    assert_eq!(
        refusal(&with(r#""beat": {"incarnation": 9007199254740992, "seq": 0}"#)),
        "beat.incarnation: 9007199254740992 is above 9007199254740991"
    );
    assert_eq!(refusal(&with(r#""metadata": [1]"#)), "metadata: metadata must be an object");
    assert_eq!(refusal(&with(r#""metrics": {"a": 1e999}"#)), "metrics.a: number out of range");
    assert!(refusal(&with(r#""timestamp": "yesterday""#)).starts_with("timestamp: "));
}

#[test]
fn lists_are_not_taken_for_objects() {
    assert_eq!(refusal(r#"["w"]"#), "expected an object");
    assert_eq!(refusal(&with(r#""beat": [1, 2]"#)), "beat: invalid type: sequence, expected an object");
    let json = r#"{"hive_id": "h", "vram_per_device": [[0, "a", 1, 2]]}"#;
    let refused = decode::<HiveHeartbeat>(json.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused, "vram_per_device.0: invalid type: sequence, expected an object");
    let refused = decode::<HiveHeartbeat>(br#"{"hive_id": "h", "exited": 7}"#).unwrap_err().to_string();
    assert_eq!(refused, "exited: invalid type: integer `7`, expected a sequence");
}

#[test]
fn the_figures_of_a_host_have_ranges_and_are_told_of_a_few_sources() {
    let refusal = |fields: &str| {
        let json = format!(r#"{{"hive_id": "h", {fields}}}"#);
        decode::<HiveHeartbeat>(json.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(refusal(r#""disk_used_gb": -1"#), "disk_used_gb: -1 is below 0");
    assert_eq!(refusal(r#""disk_total_gb": -1"#), "disk_total_gb: -1 is below 0");
    let gpu = |field: &str| {
        refusal(&format!(r#""vram_per_device": [{{"device": 0, "used_gb": 1, "total_gb": 2, {field}}}]"#))
    };
    assert_eq!(gpu(r#""utilization": 97"#), "vram_per_device.0.utilization: 97 is above 1");
    assert_eq!(gpu(r#""power_watts": -1"#), "vram_per_device.0.power_watts: -1 is below 0");
    let source = |field: &str| refusal(&format!(r#""failing_sources": [{{"source": "nvidia", {field}}}]"#));
    assert_eq!(source(r#""age_ms": -1"#), "failing_sources.0.age_ms: -1 is below 0");
    let text = "x".repeat(257);
    let too_long = "failing_sources.0.error: 257 bytes are too long (at most 256)";
    assert_eq!(source(&format!(r#""error": "{text}""#)), too_long);
    let most = format!(r#"{{"hive_id": "h", "failing_sources": [{}]}}"#, [r#"{"source": "a"}"#; 16].join(","));
    assert!(decode::<HiveHeartbeat>(most.as_bytes()).is_ok());
    let many = [r#"{"source": "a"}"#; 17].join(",");
    let too_many = "failing_sources: 17 sources are more than 16";
    assert_eq!(refusal(&format!(r#""failing_sources": [{many}]"#)), too_many);
}

#[test]
fn every_range_that_is_broken_is_told_at_once() {
    let json = with(r#""gpu_utilization": 2, "beat": {"interval_ms": 1}"#);
    let Err(DecodeError::Invalid(violations)) = decode::<WorkerHeartbeat>(json.as_bytes()) else { panic!() };
    let pointers: Vec<_> = violations.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/beat/interval_ms", "/gpu_utilization"]);
}

#[test]
fn only_what_is_no_json_is_unreadable() {
    for unreadable in ["", "{", r#"{"worker_id": }"#, "\u{0}", "{} {}"] {
        let refused = decode::<WorkerHeartbeat>(unreadable.as_bytes()).unwrap_err();
        assert!(matches!(refused, DecodeError::Unreadable(_)), "{unreadable:?}: {refused:?}");
    }
    for invalid in ["null", "7", "\"w\"", "[]", "{}", r#"{"worker_id": "w", "worker_id": "w"}"#] {
        let refused = decode::<WorkerHeartbeat>(invalid.as_bytes()).unwrap_err();
        assert!(matches!(refused, DecodeError::Invalid(_)), "{invalid:?}: {refused:?}");
    }
}

#[test]
fn texts_have_a_length() {
    let text = |field: &str, n: usize| {
        decode::<WorkerHeartbeat>(with(&format!(r#""{field}": "{}""#, "x".repeat(n))).as_bytes())
    };
    assert!(text("model_loaded", 256).is_ok());
    assert_eq!(
        text("model_loaded", 257).unwrap_err().to_string(),
        "model_loaded: 257 bytes are too long (at most 256)"
    );
    assert!(text("last_error", 1024).is_ok());
    assert!(text("last_error", 1025).is_err());
}

#[test]
fn what_is_unknown_is_ignored_however_deep_it_nests() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let beat: WorkerHeartbeat = decode(with(&format!(r#""x": {deep}, "status": "dreaming""#)).as_bytes()).unwrap();
    assert_eq!(beat.status.unwrap().as_str(), "unknown");
    // The slow path, which explains a refusal, must bear it too.
    assert_eq!(refusal(&with(&format!(r#""x": {deep}, "queue_depth": -1"#))), "queue_depth: -1 is below 0");
    assert_eq!(
        refusal(&with(&format!(r#""metadata": {{"x": {deep}}}"#))),
        "metadata: 2007 bytes are too long for metadata (at most 1024)"
    );
}
