//! A worker: does real work on a thread of its own, and tells a registry how it gets on.

use std::error::Error;
use std::future::IntoFuture;
use std::iter::successors;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{Health, Phase};
use examples::{NoFiles, Round, Stopped, asked_to_stop, hash_over_and_over, parse_duration, stop_pair};
use heartbeat_contract::{Directive, MemberId, WorkerHeartbeat, WorkerStatus};
use heartbeat_sender::{HeartbeatHandle, WorkerHeartbeatConfig, start_worker_heartbeat_task};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A worker that hashes files over and over, and beats to a registry.
#[derive(Parser)]
struct Args {
    /// Where the registry is.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// Who this worker is.
    #[arg(long)]
    id: String,
    /// How often it beats.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
    /// The hive on whose machine it lives.
    #[arg(long, value_name = "ID")]
    hive_id: Option<MemberId>,
    /// The file with the token that the registry asks for.
    #[arg(long, value_name = "FILE", env = "HEARTBEAT_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The folder with its work: the files that git tracks, or all of them where there is no git.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    work: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for error in successors(Some(&*error), |&error| error.source()) {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let health = Health::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    eprintln!("health on {endpoint}");

    let mut config = WorkerHeartbeatConfig::new(args.id, args.registry)
        .initially(|worker| worker.status = Some(WorkerStatus::Starting));
    config.interval = args.interval;
    config.hive_id = args.hive_id;
    config.endpoint = Some(endpoint);
    config.bearer_token_file = args.token_file;
    let heartbeat = start_worker_heartbeat_task(config)?;

    let (stop, stopped) = stop_pair();
    let (ended, work_ended) = oneshot::channel();
    let work = {
        let (heartbeat, health) = (heartbeat.clone(), health.clone());
        thread::Builder::new().name("work".to_owned()).spawn(move || {
            // Nobody waits any more once the program is asked to stop.
            ended.send(work(&args.work, &stopped, &heartbeat, &health)).ok();
        })?
    };
    let end = tokio::select! {
        asked = asked_to_stop() => asked.map_err(Into::into),
        () = told_to_end(&heartbeat, &health) => Ok(()),
        newest = superseded(&heartbeat) => Err(format!("a newer run of this worker has taken over: {newest}").into()),
        served = axum::serve(listener, health.router()).into_future() => served.map_err(Into::into),
        worked = work_ended => worked.map_err(Into::into).and_then(|worked| worked.map_err(Into::into)),
    };
    health.set_phase(Phase::Draining);
    drop(stop);
    work.join().map_err(|_| "the work has panicked")?;
    heartbeat.shutdown().await;
    end
}

/// Works until it is stopped; once it is draining, it takes no more work. Beats are the business of another thread: this one
/// only says what they should tell.
fn work(
    folder: &Path,
    stopped: &Stopped,
    heartbeat: &HeartbeatHandle<WorkerHeartbeat>,
    health: &Health,
) -> Result<(), NoFiles> {
    let mut done = 0;
    hash_over_and_over(folder, stopped, |round| {
        if let Round::Job(job) = &round {
            done = job.done;
        }
        let mut is_draining = false;
        heartbeat.update(|worker| {
            is_draining = worker.status == Some(WorkerStatus::Draining);
            heartbeat.progress(!is_draining && status_in(&round) == WorkerStatus::Busy, done);
            if !is_draining {
                worker.status = Some(status_in(&round));
                health.set_phase(Phase::Serving);
            }
            tell(worker, &round);
        });
        while is_draining && !stopped.within(Duration::MAX) {}
    })
}

fn status_in(round: &Round) -> WorkerStatus {
    match round {
        Round::Begins(_) | Round::Job(_) => WorkerStatus::Busy,
        Round::Ends => WorkerStatus::Idle,
    }
}

fn tell(worker: &mut WorkerHeartbeat, round: &Round) {
    match round {
        Round::Begins(files) => worker.queue_depth = u32::try_from(*files).ok(),
        Round::Job(job) => {
            worker.queue_depth = u32::try_from(job.left).ok();
            worker.last_inference_ms = u64::try_from(job.took.as_millis()).ok();
            worker.last_error.clone_from(&job.error);
        }
        Round::Ends => {}
    }
}

/// Waits until the registry asks for the end, and lets the work run dry when it asks for that.
async fn told_to_end(heartbeat: &HeartbeatHandle<WorkerHeartbeat>, health: &Health) {
    let mut directives = heartbeat.directives();
    loop {
        match directives.next().await {
            Some(Directive::Drain) => {
                // The work looks at this after each job, and sets no other phase then.
                heartbeat.update(|worker| worker.status = Some(WorkerStatus::Draining));
                health.set_phase(Phase::Draining);
            }
            Some(Directive::Shutdown) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Waits until a newer run of the same id takes over, and returns that.
async fn superseded(heartbeat: &HeartbeatHandle<WorkerHeartbeat>) -> u64 {
    let mut outcomes = heartbeat.outcomes();
    loop {
        match outcomes.next().await {
            Some(heartbeat_sender::Outcome::Superseded { newest }) => return newest,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}
