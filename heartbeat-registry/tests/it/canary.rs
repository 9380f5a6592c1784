//! Beats that wait unread while only the listener is starved.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use heartbeat_registry::contract::{CanaryState, HealthState, Policy};
use heartbeat_registry::http::{Api, Canary, Hosts, ServeConfig, router, serve};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::token_files::Folder;
use crate::wire::Server;
use crate::world::{id, millis, plain, secs};

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(secs(30), future).await.expect("it happens within half a minute")
}

/// Waits until something is as it should be.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let looks = async {
        while !is_so() {
            tokio::time::sleep(millis(5)).await;
        }
    };
    tokio::time::timeout(secs(30), looks).await.unwrap_or_else(|_| panic!("{what}, within half a minute"));
}

/// A fleet whose members fail after 2.25 s, served by a runtime with one thread that can be made to do something else.
struct Hoggable {
    fleet: Fleet,
    address: SocketAddr,
    hog: mpsc::UnboundedSender<(Duration, oneshot::Sender<()>)>,
}

impl Hoggable {
    async fn start() -> Self {
        let fleet = Fleet::start(FleetConfig { policy: Policy::realtime(), ..FleetConfig::default() }).unwrap();
        let app = router(&fleet);
        let (listening, address) = oneshot::channel();
        let (hog, mut hogs) = mpsc::unbounded_channel::<(Duration, oneshot::Sender<()>)>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                listening.send(listener.local_addr().unwrap()).unwrap();
                let busy = async {
                    while let Some((time, done)) = hogs.recv().await {
                        std::thread::sleep(time);
                        done.send(()).unwrap();
                    }
                };
                serve(listener, app, ServeConfig::default(), busy).await;
            });
        });
        Self { fleet, address: address.await.unwrap(), hog }
    }

    /// Keeps the listener's thread from serving for a while.
    async fn hog(&self, time: Duration) {
        let (done, is_done) = oneshot::channel();
        self.hog.send((time, done)).unwrap();
        is_done.await.unwrap();
    }
}

/// Beats every second, whether it is answered or not.
async fn beat_on(address: SocketAddr, name: &str) {
    let (mut answers, mut beats) = TcpStream::connect(address).await.unwrap().into_split();
    let body = format!(r#"{{"worker_id":"{name}","beat":{{"interval_ms":1000}}}}"#);
    let head = format!(
        "POST /v1/worker-heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let send = async {
        let mut seconds = tokio::time::interval(secs(1));
        loop {
            seconds.tick().await;
            beats.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    };
    let read = async {
        let mut buffer = [0; 4096];
        while answers.read(&mut buffer).await.unwrap() > 0 {}
    };
    tokio::select! {
        () = send => {}
        () = read => panic!("the registry closed a connection in use"),
    }
}

/// How many of five members that beat every second are failed by a listener that is starved for four.
async fn failures_while_starved(with_canary: bool) -> u64 {
    let registry = Hoggable::start().await;
    let canary = with_canary.then(|| Canary::through(registry.address).start(&registry.fleet).unwrap());
    let members = ["a", "b", "c", "d", "e"].map(|name| {
        let address = registry.address;
        tokio::spawn(async move { beat_on(address, name).await })
    });
    let beats = || registry.fleet.stats().beats.fresh;
    until("everyone has beaten", || beats() >= 5).await;
    if with_canary {
        until("a canary is back", || registry.fleet.stats().blind.ingest_lag_ms.is_some()).await;
    }
    registry.hog(secs(4)).await;
    // What waited in the buffers is read, and everyone beats on.
    let before = beats();
    until("beats are read again", || beats() >= before + 20).await;
    let stats = registry.fleet.stats();
    if with_canary {
        assert!(stats.blind.ingest_lag_max_ms.unwrap() >= 3_000, "{:?}", stats.blind);
        assert!(stats.driver.credited_ms >= 3_000 && stats.blind.credited_ms >= 3_000, "{stats:?}");
    }
    members.iter().for_each(tokio::task::JoinHandle::abort);
    drop(canary);
    stats.detection.failures
}

#[tokio::test]
async fn beats_that_wait_unread_while_only_the_listener_is_starved_fail_nobody() {
    let (without, with) = tokio::join!(failures_while_starved(false), failures_while_starved(true));
    assert_eq!((without, with), (5, 0), "without canaries the same fails everyone");
}

#[tokio::test]
async fn a_listener_that_is_not_there_stops_no_judgement_and_shows() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let policy = Policy { threshold: 2, ..Policy::every(millis(100)) };
    let workers = WorkerRegistry::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap();
    let canary = Canary::through(gone).start(workers.fleet()).unwrap();
    let mut transitions = workers.subscribe();
    workers.record(plain("w")).unwrap();
    while within(transitions.next()).await.unwrap().to != HealthState::Failed {}
    let blind = || workers.fleet().stats().blind;
    until("it shows", || blind().canary == CanaryState::Unusable).await;
    assert!(blind().canary_error.unwrap().starts_with(&format!("cannot connect to {gone}: ")), "{:?}", blind());

    // It may come later, and go again.
    let listener = TcpListener::bind(gone).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, router(workers.fleet()), ServeConfig::default(), async {
        stopped.await.ok();
    }));
    until("canaries come back", || blind().canary == CanaryState::Ok && blind().canary_error.is_none()).await;
    drop(stop);
    within(serving).await.unwrap();
    until("its end shows", || blind().canary == CanaryState::Unusable).await;
    within(canary.shutdown()).await;
    assert_eq!(blind().canary, CanaryState::Off);
}

/// Waits until canaries come back from an app.
async fn come_back(fleet: Fleet, app: Router, path: Option<&str>) {
    WorkerRegistry::new(&fleet).record(plain("w")).unwrap();
    let server = Server::of(ServeConfig::default(), fleet, app).await;
    let canary = Canary::through(SocketAddr::new("0.0.0.0".parse().unwrap(), server.address.port()));
    let canary = path.into_iter().fold(canary, Canary::path).start(&server.fleet).unwrap();
    until("a canary is back", || server.fleet.stats().blind.ingest_lag_ms.is_some()).await;
    assert_eq!(server.fleet.stats().blind.canary, CanaryState::Ok);
    let stats = server.fleet.stats();
    assert_eq!((stats.beats.fresh, stats.beats.refused, stats.members.total), (1, 0, 1), "it counts for no beat");
    within(canary.shutdown()).await;
    server.stop().await;
}

#[tokio::test]
async fn canaries_come_back_from_registries_with_tokens_with_checks_of_hosts_and_under_a_prefix() {
    let fleet = || Fleet::start(FleetConfig::default()).unwrap();
    let guarded = fleet();
    let app = Hosts::loopback().guard(router(&guarded));
    come_back(guarded, app, None).await;

    let folder = Folder::new();
    let file = folder.path("tokens");
    std::fs::write(&file, "").unwrap();
    let with_tokens = fleet();
    let tokens = heartbeat_registry::http::Tokens::open(&file).unwrap();
    let app = Api::new(&with_tokens).tokens(tokens).router();
    come_back(with_tokens, app, None).await;

    let nested = fleet();
    let app = Router::new().nest("/queen", router(&nested));
    come_back(nested, app, Some("/queen/v1/heartbeats")).await;
}

#[tokio::test]
async fn a_fleet_has_one_canary_at_a_time_and_it_needs_a_path() {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let canary = || Canary::through("127.0.0.1:1".parse().unwrap());
    let kind = |refused: std::io::Result<_>| refused.map(drop).unwrap_err().kind();
    assert_eq!(kind(canary().path("no path").start(&fleet)), std::io::ErrorKind::InvalidInput);
    let first = canary().start(&fleet).unwrap();
    assert_eq!(kind(canary().start(&fleet)), std::io::ErrorKind::AlreadyExists);
    within(first.shutdown()).await;
    drop(canary().start(&fleet).unwrap());
}

#[tokio::test]
async fn canaries_end_with_the_last_handle_of_their_fleet() {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let workers = WorkerRegistry::new(&fleet);
    let canary = Canary::through("127.0.0.1:1".parse().unwrap()).start(&fleet).unwrap();
    assert!(workers.health(&id("w")).is_err());
    drop((fleet, workers));
    within(canary.ended()).await;
}
