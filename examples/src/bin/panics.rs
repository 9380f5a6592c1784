//! What a registry is told of panics: that a worker died of one, or, where that should wake nobody, that it left.
//!
//! The workers are this program too, in processes of their own. Both panic on their main thread. One has its panics told, so
//! that its death is explained; the other says goodbye before it ends, and so has not failed.

use std::error::Error;
use std::future::pending;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use examples::exit_code;
use heartbeat_contract::{HealthState, MemberId, WorkerHeartbeat};
use heartbeat_registry::http::{self, ServeConfig};
use heartbeat_registry::{Fleet, FleetConfig, Transitions, WorkerRegistry};
use heartbeat_sender::{Outcome, WorkerHeartbeatConfig, start_worker_heartbeat_task};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const INTERVAL: Duration = Duration::from_millis(300);
/// How long to wait for the end of a worker: failing alone takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shows what becomes of workers that panic.
#[derive(Parser)]
struct Args {
    /// Be a worker that beats to the registry at a URL, and panics.
    #[arg(long, value_name = "URL", hide = true)]
    beat_to: Option<String>,
    /// Who it is.
    #[arg(long, hide = true, default_value = "worker")]
    id: String,
    /// Let it say goodbye.
    #[arg(long, hide = true)]
    goodbye: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let end = match &args.beat_to {
        Some(url) => work(url, &args).await,
        None => run().await,
    };
    exit_code(end)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(FleetConfig::default())?;
    let workers = WorkerRegistry::new(&fleet);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::select! {
        () = http::serve(listener, http::router(&fleet), ServeConfig::default(), pending()) => {}
        end = watch(&workers, &url) => end?,
    }
    fleet.shutdown().await;
    Ok(())
}

async fn watch(workers: &WorkerRegistry, url: &str) -> Result<(), Box<dyn Error>> {
    for (id, words, options) in
        [("worker-1", "tells its panics", &[][..]), ("worker-2", "says goodbye when it panics", &["--goodbye"])]
    {
        println!("{id} {words}");
        let mut transitions = workers.subscribe();
        let mut process = start(url, id, options)?;
        let end = timeout(PATIENCE, end_of(id, &mut transitions)).await??;
        let id = MemberId::new(id)?;
        let told = workers.latest(&id).and_then(|beat| beat.last_error).unwrap_or_default();
        println!("{id} has {end}: {told}");
        timeout(PATIENCE, process.wait()).await??;
    }
    Ok(())
}

fn start(url: &str, id: &str, options: &[&str]) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    // What it prints of its panic is not what is shown here.
    command.args(["--beat-to", url, "--id", id]).args(options).stderr(Stdio::null()).kill_on_drop(true).spawn()
}

/// Waits until a worker has failed or left.
async fn end_of(id: &str, transitions: &mut Transitions<WorkerHeartbeat>) -> Result<HealthState, Box<dyn Error>> {
    loop {
        let change = transitions.next().await?;
        if change.member.as_str() == id && !change.to.is_online() {
            return Ok(change.to);
        }
    }
}

/// Is a worker: it panics as soon as its registry knows it.
async fn work(url: &str, args: &Args) -> Result<(), Box<dyn Error>> {
    let mut config = WorkerHeartbeatConfig::new(&args.id, url);
    config.interval = INTERVAL;
    let heartbeat = start_worker_heartbeat_task(config)?;
    if args.goodbye {
        heartbeat.goodbye_on_panic();
    } else {
        heartbeat.tell_panics();
    }
    let mut outcomes = heartbeat.outcomes();
    while !matches!(outcomes.latest(), Outcome::Acknowledged { .. }) {
        outcomes.next().await.ok_or("it beats no more")?;
    }
    panic!("no such model");
}
