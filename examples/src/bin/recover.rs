//! A worker that is started again when it dies: real processes, and a callback that acts on their registry's alerts.
//!
//! The worker is this program too, in a process of its own. It is killed; its registry notices that it is silent and tells
//! the callback, which starts another process under the same id. The registry itself restarts nothing.

use std::error::Error;
use std::future::pending;
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use examples::exit_code;
use heartbeat_contract::{HealthState, MemberId, Policy, WorkerHeartbeat};
use heartbeat_registry::http::{self, ServeConfig};
use heartbeat_registry::{Alert, Alerts, Fleet, FleetConfig, WeakRegistry, WorkerRegistry};
use heartbeat_sender::{WorkerHeartbeatConfig, start_worker_heartbeat_task};
use tokio::net::TcpListener;

const WORKER: &str = "worker-1";
const INTERVAL: Duration = Duration::from_millis(500);
/// For how long a process may start before its silence counts.
const TO_START: Duration = Duration::from_secs(5);
/// How long to wait for the worker, and for it to be started again: failing alone takes 1.625 s.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Kills a worker, and shows how it is noticed and started again.
#[derive(Parser)]
struct Args {
    /// Be the worker, and beat to the registry at a URL until standard input ends.
    #[arg(long, value_name = "URL", hide = true)]
    beat_to: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let end = match Args::parse().beat_to {
        Some(url) => beat(url).await,
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
        end = kill_and_recover(&workers, url) => end?,
    }
    fleet.shutdown().await;
    Ok(())
}

async fn kill_and_recover(workers: &WorkerRegistry, url: String) -> Result<(), Box<dyn Error>> {
    let id = MemberId::new(WORKER)?;
    let process = Process::start(url)?;
    let alerts = Alerts::new().cooldown(Duration::ZERO).on_failed({
        // A registry in its own callback would keep itself alive.
        let (workers, process) = (workers.downgrade(), process.clone());
        move |alert| start_again(&workers, &process, &alert)
    });
    let alerts = workers.configure_alerts(alerts)?;
    workers.start_monitoring(&id, policy())?;
    let killed = healthy_run(workers, &id, None).await?;
    println!("{id} is healthy");

    process.kill()?;
    println!("{id} is killed");
    healthy_run(workers, &id, Some(killed)).await?;
    println!("{id} is healthy again, as another run");

    alerts.stop(); // so that a worker that ends on purpose is let go
    // The registry runs here: it is to hear the goodbye meanwhile.
    tokio::task::spawn_blocking(move || process.end()).await??;
    println!("{id} has {}", workers.health(&id)?);
    Ok(())
}

fn policy() -> Policy {
    Policy { startup_grace: TO_START, ..Policy::every(INTERVAL) }
}

/// Runs on the thread of the alerts: it may take its time.
fn start_again(workers: &WeakRegistry<WorkerHeartbeat>, process: &Process, alert: &Alert) {
    let Alert { member, from, to, evidence, .. } = alert;
    println!("{member}: {from} -> {to}: {}", evidence.join(", "));
    let Some(workers) = workers.upgrade() else { return };
    if workers.health(member) != Ok(HealthState::Failed) {
        return; // it came back by itself
    }
    workers.stop_monitoring(member);
    let started = process.replace().map_err(Box::<dyn Error>::from);
    match started.and_then(|()| Ok(workers.start_monitoring(member, policy())?)) {
        Ok(_) => println!("{member} is started again"),
        Err(error) => eprintln!("error: {member} could not be started again: {error}"),
    }
}

/// Waits until a worker is healthy and beats, as another run than one, and returns its run.
async fn healthy_run(workers: &WorkerRegistry, id: &MemberId, other_than: Option<u64>) -> Result<u64, Box<dyn Error>> {
    let looks = async {
        loop {
            let view = workers.view(id).ok().filter(|view| view.state == HealthState::Healthy);
            match view.and_then(|view| view.incarnation) {
                Some(run) if other_than != Some(run) => return run,
                _ => tokio::time::sleep(BETWEEN_LOOKS).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.map_err(|_| format!("{id} was not healthy within {PATIENCE:?}").into())
}

/// The process of the worker; clones share it.
#[derive(Clone)]
struct Process {
    url: Arc<str>,
    child: Arc<Mutex<Child>>,
}

impl Process {
    fn start(url: String) -> io::Result<Self> {
        let child = Arc::new(Mutex::new(spawn(&url)?));
        Ok(Self { url: url.into(), child })
    }

    fn kill(&self) -> io::Result<()> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill()?;
        child.wait().map(drop)
    }

    /// Starts another in place of one that is silent: dead, or good for nothing.
    fn replace(&self) -> io::Result<()> {
        self.kill()?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = spawn(&self.url)?;
        Ok(())
    }

    /// Lets it say goodbye and end.
    fn end(&self) -> io::Result<()> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        drop(child.stdin.take());
        child.wait().map(drop)
    }
}

fn spawn(url: &str) -> io::Result<Child> {
    Command::new(std::env::current_exe()?).args(["--beat-to", url]).stdin(Stdio::piped()).spawn()
}

/// Is the worker, for as long as somebody holds the other end of its standard input.
async fn beat(url: String) -> Result<(), Box<dyn Error>> {
    let mut config = WorkerHeartbeatConfig::new(WORKER, url);
    config.interval = INTERVAL;
    let heartbeat = start_worker_heartbeat_task(config)?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    heartbeat.shutdown().await;
    Ok(())
}
