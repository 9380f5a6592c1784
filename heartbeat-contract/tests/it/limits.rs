//! Each limit of a beat: what lies on it is taken, what lies beyond is refused, and the refusal says by how much.

use std::collections::BTreeMap;

use heartbeat_contract::{
    BeatInfo, HiveHeartbeat, MAX_BATCH_BYTES, MAX_BEAT_BYTES, MAX_SAFE_INTEGER, MemberId, Payload, ProcessExit,
    VramInfo, WorkerHeartbeat, validate,
};

fn id() -> MemberId {
    MemberId::new("a").unwrap()
}

fn worker() -> WorkerHeartbeat {
    WorkerHeartbeat::new(id())
}

fn hive() -> HiveHeartbeat {
    HiveHeartbeat::new(id())
}

/// All that is wrong with a beat, in one line; empty if nothing is.
fn wrong<P: Payload>(beat: &P) -> String {
    validate(beat).err().map(|violations| violations.to_string()).unwrap_or_default()
}

#[test]
fn a_share_is_a_number_from_0_to_1() {
    let with = |share| wrong(&WorkerHeartbeat { gpu_utilization: Some(share), ..worker() });
    assert_eq!([with(0.0), with(0.5), with(1.0)], ["", "", ""]);
    assert_eq!(with(-0.25), "gpu_utilization: -0.25 is below 0");
    assert_eq!(with(1.25), "gpu_utilization: 1.25 is above 1");
    assert_eq!(with(f64::NAN), "gpu_utilization: NaN is not finite");
}

#[test]
fn the_figures_of_a_host_are_numbers_within_what_can_be() {
    let cpu = |percent| wrong(&HiveHeartbeat { cpu_usage_percent: Some(percent), ..hive() });
    assert_eq!([cpu(0.0), cpu(100.0)], ["", ""]);
    assert_eq!(cpu(100.5), "cpu_usage_percent: 100.5 is above 100");
    let gpu = VramInfo::new(0, -1.0, f64::INFINITY);
    let cold = HiveHeartbeat {
        ram_used_gb: Some(-1.0),
        ram_total_gb: Some(-2.0),
        temperature_celsius: Some(-273.0),
        vram_per_device: Some(vec![gpu]),
        ..hive()
    };
    assert_eq!(
        wrong(&cold),
        "ram_used_gb: -1 is below 0; ram_total_gb: -2 is below 0; vram_per_device.0.used_gb: -1 is below 0; \
         vram_per_device.0.total_gb: inf is not finite"
    );
}

#[test]
fn numbers_of_beats_are_at_most_what_every_json_reader_keeps() {
    let ordered = |n| BeatInfo { incarnation: Some(n), seq: Some(n), tick: Some(n), ..BeatInfo::default() };
    let with = |beat| wrong(&WorkerHeartbeat { beat: Some(beat), ..worker() });
    assert_eq!(MAX_SAFE_INTEGER, 9_007_199_254_740_991);
    assert_eq!(with(ordered(MAX_SAFE_INTEGER)), "");
    assert_eq!(
        with(ordered(MAX_SAFE_INTEGER + 1)),
        "beat.incarnation: 9007199254740992 is above 9007199254740991; \
         beat.seq: 9007199254740992 is above 9007199254740991; \
         beat.tick: 9007199254740992 is above 9007199254740991"
    );
}

#[test]
fn metrics_are_at_most_64_finite_numbers_with_names_of_at_most_256_bytes() {
    let with = |metrics: BTreeMap<String, f64>| wrong(&WorkerHeartbeat { metrics: Some(metrics), ..worker() });
    let many = |n: usize| (0..n).map(|i| (format!("m{i}"), 1.0)).collect();
    let named = |bytes| BTreeMap::from([("x".repeat(bytes), 1.0)]);
    assert_eq!([with(many(64)), with(named(256))], ["", ""]);
    assert_eq!(with(many(65)), "metrics: 65 are too many (at most 64)");
    assert_eq!(with(named(257)), "metrics: a name is longer than 256 bytes");
    assert_eq!(with(BTreeMap::from([("a".to_owned(), f64::NAN)])), "metrics: a: NaN is not finite");
    let of_a_hive = HiveHeartbeat { metrics: Some(many(65)), ..hive() };
    assert_eq!(wrong(&of_a_hive), "metrics: 65 are too many (at most 64)");
}

#[test]
fn a_hive_tells_of_at_most_256_exits_and_of_runs_that_can_be() {
    let with = |exited| wrong(&HiveHeartbeat { exited, ..hive() });
    assert_eq!(with(vec![ProcessExit::new(id()); 256]), "");
    assert_eq!(with(vec![ProcessExit::new(id()); 257]), "exited: 257 exits are more than 256");
    let of_run = |incarnation| ProcessExit { incarnation: Some(incarnation), ..ProcessExit::new(id()) };
    assert_eq!(with(vec![of_run(MAX_SAFE_INTEGER)]), "");
    assert_eq!(
        with(vec![of_run(1), of_run(MAX_SAFE_INTEGER + 1)]),
        "exited.1.incarnation: 9007199254740992 is above 9007199254740991"
    );
}

#[test]
fn texts_of_a_hive_and_of_the_protocol_have_a_length() {
    let text = |bytes| Some("x".repeat(bytes));
    let gpu = |name| VramInfo { name, ..VramInfo::new(0, 1.0, 2.0) };
    let of_length = |short, error| HiveHeartbeat {
        last_error: text(error),
        vram_per_device: Some(vec![gpu(text(short))]),
        beat: Some(BeatInfo { endpoint: text(short), leaving: text(short), ..BeatInfo::default() }),
        ..hive()
    };
    assert_eq!(wrong(&of_length(256, 1024)), "");
    assert_eq!(
        wrong(&of_length(257, 1025)),
        "beat.endpoint: 257 bytes are too long (at most 256); beat.leaving: 257 bytes are too long (at most 256); \
         last_error: 1025 bytes are too long (at most 1024); \
         vram_per_device.0.name: 257 bytes are too long (at most 256)"
    );
}

#[test]
fn a_beat_has_at_most_64_kib_and_a_batch_2_mib() {
    assert_eq!((MAX_BEAT_BYTES, MAX_BATCH_BYTES), (65_536, 2_097_152));
}
