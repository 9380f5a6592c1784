//! What holds when nothing else is said: policies, paths, and the fields a beat may tell.

use std::time::Duration;

use heartbeat_contract::{
    Detector, Directive, HealthState, HealthStatus, HiveHeartbeat, Kind, Policy, ResolvedPolicy, VramInfo,
    WorkerHeartbeat, WorkerStatus, decode, routes,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn by_default_a_member_is_judged_by_three_intervals_of_30_s_and_keeps_100_beats() {
    let expected = ResolvedPolicy {
        interval: secs(30),
        threshold: 3,
        allowance: secs(5),
        detector: Detector::Fixed,
        recover_after: 1,
        startup_grace: Duration::ZERO,
        stuck_after: secs(300),
        history: 100,
    };
    assert_eq!(Policy::default().resolve(None, None), expected);
}

#[test]
fn each_preset_has_its_interval_its_threshold_and_its_bound_with_and_without_allowance() {
    for (preset, interval, threshold, bare, bound) in [
        (Policy::realtime(), secs(1), 2, secs(2), millis(2_250)),
        (Policy::standard(), secs(5), 3, secs(15), millis(16_250)),
        (Policy::batch(), secs(30), 5, secs(150), secs(155)),
        (Policy::default(), secs(30), 3, secs(90), secs(95)),
    ] {
        let judged = preset.resolve(None, None);
        assert_eq!((judged.interval, judged.threshold, judged.failed_after()), (interval, threshold, bound));
        let without = Policy { allowance: Some(Duration::ZERO), ..preset }.resolve(None, None);
        assert_eq!(without.failed_after(), bare);
    }
}

#[test]
fn states_and_what_members_say_of_themselves_are_lower_case_words() {
    fn words<T: ToString>(all: &[T]) -> String {
        all.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
    }
    assert_eq!(words(HealthState::ALL), "healthy degraded critical failed left");
    assert_eq!(words(HealthStatus::ALL), "healthy degraded unhealthy unknown");
    assert_eq!(words(WorkerStatus::ALL), "starting idle busy draining unknown");
    assert_eq!(words(Directive::ALL), "drain shutdown unknown");
}

#[test]
fn a_worker_tells_its_work_in_flat_fields() {
    let json = br#"{
        "worker_id": "worker-123",
        "status": "idle",
        "gpu_utilization": 0.45,
        "model_loaded": "meta-llama/Llama-3-8b",
        "queue_depth": 0,
        "last_inference_ms": 1234,
        "timestamp": "2025-10-23T20:00:00Z",
        "metrics": {"tokens_per_second": 31.5},
        "last_error": "out of memory",
        "metadata": {"cpu": 45.2}
    }"#;
    let worker: WorkerHeartbeat = decode(json).unwrap();
    assert_eq!(worker.worker_id.as_str(), "worker-123");
    assert_eq!(worker.status, Some(WorkerStatus::Idle));
    assert_eq!(worker.gpu_utilization, Some(0.45));
    assert_eq!(worker.model_loaded.as_deref(), Some("meta-llama/Llama-3-8b"));
    assert_eq!((worker.queue_depth, worker.last_inference_ms), (Some(0), Some(1234)));
    assert_eq!(worker.timestamp, Some("2025-10-23T20:00:00Z".parse().unwrap()));
    assert_eq!(worker.metrics.unwrap()["tokens_per_second"], 31.5);
    assert_eq!(worker.last_error.as_deref(), Some("out of memory"));
    assert_eq!(worker.metadata.unwrap().as_json(), r#"{"cpu": 45.2}"#);
}

#[test]
fn a_hive_tells_its_host_in_flat_fields() {
    let json = br#"{
        "hive_id": "localhost",
        "timestamp": "2025-10-24T12:00:00Z",
        "health_status": "degraded",
        "cpu_usage_percent": 37.5,
        "ram_used_gb": 11.25,
        "ram_total_gb": 64.0,
        "vram_per_device": [{"device": 1, "name": "GPU 1", "used_gb": 10.5, "total_gb": 24.0}],
        "temperature_celsius": 54.0
    }"#;
    let hive: HiveHeartbeat = decode(json).unwrap();
    assert_eq!(hive.hive_id.as_str(), "localhost");
    assert_eq!(hive.timestamp, Some("2025-10-24T12:00:00Z".parse().unwrap()));
    assert_eq!(hive.health_status, Some(HealthStatus::Degraded));
    assert_eq!((hive.cpu_usage_percent, hive.temperature_celsius), (Some(37.5), Some(54.0)));
    assert_eq!((hive.ram_used_gb, hive.ram_total_gb), (Some(11.25), Some(64.0)));
    let gpu = VramInfo { name: Some("GPU 1".to_owned()), ..VramInfo::new(1, 10.5, 24.0) };
    assert_eq!(hive.vram_per_device, Some(vec![gpu]));
}

#[test]
fn each_kind_beats_to_a_path_of_its_name_and_to_another_that_means_the_same() {
    let paths = |kind: &Kind| [routes::beat(kind), routes::beat_alias(kind), routes::members(kind)];
    assert_eq!(paths(&Kind::WORKER), ["/v1/worker-heartbeat", "/v1/worker/heartbeat", "/v1/workers"]);
    assert_eq!(paths(&Kind::HIVE), ["/v1/hive-heartbeat", "/v1/hive/heartbeat", "/v1/hives"]);
}

#[test]
fn all_about_a_member_is_below_its_own_path_and_all_about_a_zone_below_the_zone() {
    let below_the_member = [
        (routes::member(&Kind::WORKER, "w-1"), ""),
        (routes::history(&Kind::WORKER, "w-1"), "/history"),
        (routes::explain(&Kind::WORKER, "w-1"), "/explain"),
        (routes::policy(&Kind::WORKER, "w-1"), "/policy"),
        (routes::directives(&Kind::WORKER, "w-1"), "/directives"),
        (routes::verify(&Kind::WORKER, "w-1"), "/verify"),
    ];
    for (path, end) in below_the_member {
        assert_eq!(path, format!("/v1/workers/w-1{end}"));
    }
    assert_eq!(routes::confirm_protection("rack-12"), "/v1/protection/rack-12/confirm");
    assert_eq!(routes::release_protection("_all"), "/v1/protection/_all/release");
}
