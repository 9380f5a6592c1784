//! Routing: of the workers online, the least loaded one that really answers gets the request.
//!
//! All three workers beat in time and say that they are well. The endpoint of the least loaded one hangs, as that of a
//! process does whose threads all wait for each other; the next is up but not ready; only the last can take work. So the
//! router asks each once before it sends anything, and for a second request goes by what it was told a moment ago.

use std::error::Error;
use std::future::IntoFuture;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use daemon_lifecycle::{Health, Phase};
use examples::exit_code;
use heartbeat_contract::{EventBody, Kind, Payload, WorkerHeartbeat, WorkerStatus};
use heartbeat_registry::http::{self, ServeConfig};
use heartbeat_registry::verify::{Verifier, VerifyConfig};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use heartbeat_sender::{HeartbeatHandle, WorkerHeartbeatConfig, start_worker_heartbeat_task};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a request may take to be answered.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(FleetConfig::default())?;
    let workers = WorkerRegistry::new(&fleet);
    let verifier = Verifier::new(&fleet, VerifyConfig { timeout: Duration::from_secs(1), ..VerifyConfig::default() })?;
    let mut events = fleet.subscribe();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let registry = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(http::serve(listener, http::router(&fleet), ServeConfig::default(), async {
        // Told to stop, or nobody is left to tell it.
        stopped.await.ok();
    }));

    let team = [
        Worker::start("worker-1", 0, Endpoint::Hangs, &registry).await?,
        Worker::start("worker-2", 2, Endpoint::NotReady, &registry).await?,
        Worker::start("worker-3", 7, Endpoint::Works, &registry).await?,
    ];
    let mut registered = 0;
    while registered < team.len() {
        registered += usize::from(matches!(events.next().await?.body, EventBody::Registered {}));
    }
    for request in ["all that is gold does not glitter", "not all those who wander are lost"] {
        println!("request: {request}");
        route(&workers, &verifier, request).await?;
    }

    for worker in team {
        worker.shutdown().await;
    }
    drop(stop);
    serving.await?;
    fleet.shutdown().await;
    Ok(())
}

/// Sends a request to the least loaded worker that is found healthy, or, if it fails there, to the next.
async fn route(workers: &WorkerRegistry, verifier: &Verifier, request: &str) -> Result<(), Box<dyn Error>> {
    for worker in by_load(workers) {
        let (id, queued) = (&worker.worker_id, worker.queue_depth.unwrap_or_default());
        let found = match verifier.verify(&Kind::WORKER, id).await {
            Ok(found) => found,
            Err(error) => {
                println!("  {id}, {queued} queued: skipped, {error}");
                continue;
            }
        };
        let again = if found.cached { ", as found a moment ago" } else { "" };
        if !found.is_healthy() {
            println!("  {id}, {queued} queued: skipped, {}: {}{again}", found.outcome, found.detail);
            continue;
        }
        println!("  {id}, {queued} queued: {}{again}", found.outcome);
        match send(&worker, request).await {
            Ok(answer) => {
                println!("  {id} answers: {answer}");
                return Ok(());
            }
            // It was fine a moment ago, which promises nothing.
            Err(error) => println!("  {id} failed: {error}"),
        }
    }
    Err("no worker can take the request".into())
}

/// The newest beats of those that are online and take work, the least loaded first.
fn by_load(workers: &WorkerRegistry) -> Vec<WorkerHeartbeat> {
    let takes_work = |worker: &WorkerHeartbeat| matches!(worker.status, Some(WorkerStatus::Idle | WorkerStatus::Busy));
    let mut beats: Vec<_> = workers.online().iter().filter_map(|id| workers.latest(id)).filter(takes_work).collect();
    beats.sort_by_key(|worker| worker.queue_depth.unwrap_or(u32::MAX));
    beats
}

async fn send(worker: &WorkerHeartbeat, request: &str) -> Result<String, Box<dyn Error>> {
    let endpoint = worker.beat().and_then(|beat| beat.endpoint.as_deref()).ok_or("it tells no endpoint")?;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let answer = client.post(format!("{endpoint}/hash")).body(request.to_owned()).send().await?;
    Ok(answer.error_for_status()?.text().await?)
}

/// How a worker really fares, whatever its beats say.
enum Endpoint {
    Works,
    /// It is up, and says so, but its model is not loaded.
    NotReady,
    /// Connections are taken, as the system does for every listener, and nobody looks at them.
    Hangs,
}

/// A worker that hashes what it is sent.
struct Worker {
    heartbeat: HeartbeatHandle<WorkerHeartbeat>,
    /// Of the one that hangs, nothing but the listener.
    serving: JoinHandle<std::io::Result<()>>,
}

impl Worker {
    async fn start(id: &str, queued: u32, endpoint: Endpoint, registry: &str) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut config = WorkerHeartbeatConfig::new(id, registry).initially(move |worker| {
            worker.status = Some(WorkerStatus::Idle);
            worker.queue_depth = Some(queued);
        });
        config.endpoint = Some(format!("http://{}", listener.local_addr()?));
        let health = Health::new();
        health.set_phase(Phase::Serving);
        if matches!(endpoint, Endpoint::NotReady) {
            health.readiness_check("model", || Err("not loaded".to_owned()));
        }
        let app = Router::new().route("/hash", post(hash)).merge(health.router());
        let serving = match endpoint {
            Endpoint::Works | Endpoint::NotReady => tokio::spawn(axum::serve(listener, app).into_future()),
            Endpoint::Hangs => tokio::spawn(async move {
                let _listener = listener;
                std::future::pending().await
            }),
        };
        Ok(Self { heartbeat: start_worker_heartbeat_task(config)?, serving })
    }

    async fn shutdown(self) {
        self.heartbeat.shutdown().await;
        self.serving.abort();
    }
}

async fn hash(text: String) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
