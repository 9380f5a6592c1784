//! `heartbeat-sender hive`: it relays beats, and tells of workers whose process is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartbeat_contract::{
    Cause, EventBody, HealthState, HiveHeartbeat, Kind, MemberId, MemberView, Payload, WorkerHeartbeat, routes,
};
use heartbeat_sender::{HeartbeatHandle, WorkerHeartbeatConfig, start_worker_heartbeat_task};
use rustix::process::Signal;

use crate::real_registry::RealRegistry;
use crate::waiting::until;
use crate::wrapped::JobHeartbeat;
use crate::wrapper::{NOWHERE, Sender, send};

/// Requests so far, by path.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<BTreeMap<String, u64>>>);

impl Requests {
    fn to(&self, path: &str) -> u64 {
        self.0.lock().unwrap().get(path).copied().unwrap_or(0)
    }

    fn direct(&self) -> u64 {
        self.to(&routes::beat(&Kind::WORKER))
    }

    async fn until_more(&self, path: &str) {
        let before = self.to(path);
        until(path, async || (self.to(path) > before + 2).then_some(())).await;
    }
}

/// A registry, a hive that relays, and where it does.
struct Host {
    registry: RealRegistry,
    requests: Requests,
    hive: Sender,
    folder: Folder,
}

/// A folder of a test's own, removed in the end, however the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("relayed-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("relay.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Host {
    async fn start(name: &str) -> Self {
        let requests = Requests::default();
        let counting = requests.clone();
        let registry = RealRegistry::start_watched(move |path| {
            *counting.0.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        })
        .await;
        let folder = Folder::new(name);
        let hive = hive(&registry.url, &folder.socket());
        let host = Self { registry, requests, hive, folder };
        host.until_it_relays().await;
        host
    }

    async fn until_it_relays(&self) {
        until("the relay's socket", async || std::os::unix::net::UnixStream::connect(self.folder.socket()).ok()).await;
    }

    fn relay(&self) -> String {
        format!("unix://{}", self.folder.socket().display())
    }

    /// Beats over the relay, and past it where that fails, if it may.
    fn worker(&self, id: &str, may_go_direct: bool) -> HeartbeatHandle<WorkerHeartbeat> {
        let mut config = WorkerHeartbeatConfig::new(id, self.relay());
        config.further_registry_urls = may_go_direct.then(|| self.registry.url.clone()).into_iter().collect();
        config.interval = Duration::from_millis(500);
        start_worker_heartbeat_task(config).unwrap()
    }

    /// Who was ever failed.
    async fn failed(&self) -> Vec<EventBody> {
        let events = self.registry.client.events(None, 1_000).await.unwrap().events;
        let is_failure = |body: &EventBody| matches!(body, EventBody::Transition { to: HealthState::Failed, .. });
        events.into_iter().map(|event| event.body).filter(is_failure).collect()
    }

    async fn until_failed(&self, id: &str) -> MemberView {
        self.registry.until_worker(id, "failed", |view| view.state == HealthState::Failed).await
    }
}

fn hive(url: &str, socket: &std::path::Path) -> Sender {
    let relay = socket.to_str().unwrap();
    Sender::start(&["hive", "--registry", url, "--id", "hive-1", "--interval", "200ms", "--relay", relay])
}

#[tokio::test]
async fn beats_of_workers_arrive_in_batches_and_each_gets_its_own_answer() {
    let host = Host::start("batches").await;
    let workers: Vec<_> = (0..20).map(|n| host.worker(&format!("worker-{n}"), false)).collect();
    for n in 0..20 {
        let view = host.registry.until_healthy(&format!("worker-{n}")).await;
        // What the relay's hive says of its process counts for it.
        assert_eq!(view.hive_id, MemberId::new("hive-1").ok());
    }
    host.requests.until_more(routes::BATCH).await;
    let beats = async || {
        let stats = host.registry.client.stats().await.unwrap();
        stats.beats.fresh
    };
    let (beats_before, batches_before) = (beats().await, host.requests.to(routes::BATCH));
    until("many beats", async || (beats().await > beats_before + 200).then_some(())).await;
    let (beats, batches) = (beats().await - beats_before, host.requests.to(routes::BATCH) - batches_before);
    assert!(batches * 10 < beats * 9, "{beats} beats in {batches} batches");
    assert_eq!(host.requests.direct(), 0);

    let drained = MemberId::new("worker-3").unwrap();
    host.registry.client.ask(&Kind::WORKER, &drained, heartbeat_contract::Directive::Drain).await.unwrap();
    let mut directives = workers[3].directives();
    assert_eq!(until("a directive", async || directives.next().await).await, heartbeat_contract::Directive::Drain);
    for worker in workers {
        worker.shutdown().await;
    }
    assert!(host.failed().await.is_empty());
    host.registry.stop().await;
}

#[tokio::test]
async fn when_the_hive_is_killed_workers_go_direct_after_one_miss_and_nobody_fails() {
    let mut host = Host::start("killed").await;
    let workers: Vec<_> = (0..5).map(|n| host.worker(&format!("worker-{n}"), true)).collect();
    for n in 0..5 {
        host.registry.until_healthy(&format!("worker-{n}")).await;
    }
    assert_eq!(host.requests.direct(), 0);
    host.hive.signal(Signal::KILL);
    host.requests.until_more(&routes::beat(&Kind::WORKER)).await;
    for n in 0..5 {
        let view = host.registry.until_healthy(&format!("worker-{n}")).await;
        // A beat that misses the relay goes direct, with its number: none is lost.
        assert_eq!(view.loss_rate, Some(0.0), "worker-{n}");
    }
    assert!(host.failed().await.is_empty(), "{:?}", host.failed().await);

    // The killed one has left its socket behind; another takes its place.
    assert!(host.folder.socket().exists());
    host.hive = hive(&host.registry.url, &host.folder.socket());
    host.until_it_relays().await;
    for worker in workers {
        worker.shutdown().await;
    }
    host.hive.signal(Signal::TERM);
    assert_eq!(host.hive.code().await, Some(0));
    assert!(!host.folder.socket().exists());
    host.registry.stop().await;
}

#[tokio::test]
async fn a_relay_that_cannot_reach_the_registry_sends_workers_there_themselves() {
    let registry = RealRegistry::start().await;
    let folder = Folder::new("cut");
    let socket = folder.socket();
    let _hive = hive(NOWHERE, &socket);
    until("the relay's socket", async || std::os::unix::net::UnixStream::connect(&socket).ok()).await;
    let mut config = WorkerHeartbeatConfig::new("worker-1", format!("unix://{}", socket.display()));
    config.further_registry_urls = vec![registry.url.clone()];
    config.interval = Duration::from_millis(200);
    let worker = start_worker_heartbeat_task(config).unwrap();
    registry.until_healthy("worker-1").await;
    worker.shutdown().await;
    registry.stop().await;
}

#[tokio::test]
async fn a_kind_of_ones_own_is_relayed_as_workers_are() {
    let registry = RealRegistry::start_for::<JobHeartbeat>().await;
    let folder = Folder::new("jobs");
    let _hive = hive(&registry.url, &folder.socket());
    until("the relay's socket", async || std::os::unix::net::UnixStream::connect(folder.socket()).ok()).await;
    let relay = format!("unix://{}", folder.socket().display());
    let sent = async |args: &[&str]| Sender::start(args).code().await;
    assert_eq!(sent(&["run", "--registry", &relay, "--kind", "job", "--id", "job-1", "--", "true"]).await, Some(0));
    assert_eq!(sent(&["beat", "--registry", &relay, "--kind", "job", "--id", "job-2"]).await, Some(0));
    for (id, state) in [("job-1", HealthState::Left), ("job-2", HealthState::Healthy)] {
        let seen = registry.client.member(&JobHeartbeat::KIND, &MemberId::new(id).unwrap()).await.unwrap();
        assert_eq!((seen.state, seen.hive_id), (state, MemberId::new("hive-1").ok()), "{id}");
    }
    assert_eq!(sent(&["beat", "--registry", &relay, "--kind", "task", "--id", "task-1"]).await, Some(1));
    registry.stop().await;
}

#[tokio::test]
async fn a_killed_worker_is_process_dead_by_the_word_of_its_hive() {
    let host = Host::start("dead").await;
    let urls = format!("{},{}", host.relay(), host.registry.url);
    let mut worker = Sender::wrap(&urls, "worker-1", &["--interval", "300ms"], "echo $$; exec sleep 1000");
    let sleeper: u32 = worker.line().await.parse().unwrap();
    host.registry.until_healthy("worker-1").await;
    let pid = worker.pid();
    worker.signal(Signal::KILL);
    let dead = host.until_failed("worker-1").await;
    assert_eq!(dead.cause, Some(Cause::ProcessDead));
    let evidence = dead.evidence.join("; ");
    assert!(evidence.contains(&format!("hive hive-1 reports: process {pid} is gone")), "{evidence}");
    send(sleeper, Signal::KILL);
    host.registry.stop().await;
}

#[tokio::test]
async fn a_process_given_by_a_pid_file_is_watched_and_a_new_one_in_it_as_well() {
    let registry = RealRegistry::start().await;
    let folder = Folder::new("pidfile");
    let file = folder.0.join("worker.pid");
    let start = || {
        let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        std::fs::write(&file, format!("{}\n", child.id())).unwrap();
        child
    };
    let mut first = start();
    let watch = format!("worker-1={}", file.display());
    let _hive = Sender::start(&[
        "hive",
        "--registry",
        &registry.url,
        "--id",
        "hive-1",
        "--interval",
        "100ms",
        "--watch",
        &watch,
    ]);
    let hive = MemberId::new("hive-1").unwrap();
    let exits = async || {
        let view = registry.client.member(&Kind::HIVE, &hive).await.ok()?;
        let hive: HiveHeartbeat = serde_json::from_value(view.payload?).unwrap();
        Some(hive.exited.iter().filter_map(|exit| exit.pid).collect::<Vec<_>>())
    };
    until("the hive", async || exits().await.filter(Vec::is_empty)).await;
    first.kill().unwrap();
    first.wait().unwrap();
    until("the first exit", async || exits().await.filter(|pids| *pids == [first.id()])).await;
    let mut second = start();
    second.kill().unwrap();
    second.wait().unwrap();
    until("the second exit", async || exits().await.filter(|pids| *pids == [first.id(), second.id()])).await;
    registry.stop().await;
}
