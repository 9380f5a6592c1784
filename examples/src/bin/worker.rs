//! A worker: does real work on a thread of its own, and tells a registry how it gets on.

use std::error::Error;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{Health, Phase};
use examples::{
    Hang, NoFiles, Round, Stopped, asked_to_stop, exit_code, hang_by_signal, hash_over_and_over, parse_duration,
    stop_pair,
};
use heartbeat_contract::{Directive, MemberId, WorkerHeartbeat, WorkerStatus};
use heartbeat_sender::{HeartbeatHandle, Progress, WorkerHeartbeatConfig, start_worker_heartbeat_task};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A worker that hashes files over and over, and beats to a registry.
#[derive(Parser)]
#[cfg_attr(
    unix,
    command(
        after_help = "For demonstrations, SIGUSR1 has its work hang: it stays busy and gets nothing done, while its beats go \
                      on. Another SIGUSR1 has it go on."
    )
)]
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
    exit_code(run(Args::parse()).await)
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let (health, hang) = (Health::new(), Hang::default());
    let hangs = hang_by_signal(hang.clone())?;
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
    let progress = heartbeat.progress();
    let work = Work { hang, heartbeat: heartbeat.clone(), progress, health: health.clone() };
    let work = thread::Builder::new().name("work".to_owned()).spawn(move || {
        // Nobody waits any more once the program is asked to stop.
        ended.send(work.go_on(&args.work, &stopped)).ok();
    })?;
    let end = tokio::select! {
        asked = asked_to_stop() => asked.map_err(Into::into),
        () = told_to_end(&heartbeat, &health) => Ok(()),
        newest = superseded(&heartbeat) => Err(format!("a newer run of this worker has taken over: {newest}").into()),
        never = hangs => match never {},
        served = axum::serve(listener, health.router()).into_future() => served.map_err(Into::into),
        worked = work_ended => worked.map_err(Into::into).and_then(|worked| worked.map_err(Into::into)),
    };
    health.shutting_down();
    drop(stop);
    work.join().map_err(|_| "the work has panicked")?;
    heartbeat.shutdown().await;
    end
}

/// What is done on the thread that works. Beats are the business of another one: this one only says what they should tell.
struct Work {
    hang: Hang,
    heartbeat: HeartbeatHandle<WorkerHeartbeat>,
    progress: Progress,
    health: Health,
}

impl Work {
    /// Works until it is stopped, and is idle half the time; once it is draining, it takes no more work.
    fn go_on(self, folder: &Path, stopped: &Stopped) -> Result<(), NoFiles> {
        hash_over_and_over(folder, stopped, |round| {
            if let Round::Job(job) = &round {
                self.progress.advance_to(job.done);
            }
            let is_draining = self.report(status_in(&round), |worker| tell(worker, &round));
            while is_draining && !stopped.within(Duration::MAX) {}
            match round {
                Round::Begins(_) | Round::Job(_) => self.hang.endure(stopped),
                Round::Ends(worked) => self.rest(worked, stopped),
            }
        })
    }

    /// Rests. What is to hang meanwhile is work that has just come.
    fn rest(&self, duration: Duration, stopped: &Stopped) {
        let mut left = self.hang.rest(duration, stopped);
        while self.hang.is_on() && !stopped.now() {
            self.report(WorkerStatus::Busy, |_| {});
            self.hang.endure(stopped);
            self.report(WorkerStatus::Idle, |_| {});
            left = self.hang.rest(left, stopped);
        }
    }

    /// Has the beats tell a status unless the worker is draining, and returns whether it is.
    fn report(&self, status: WorkerStatus, tell: impl FnOnce(&mut WorkerHeartbeat)) -> bool {
        let mut is_draining = false;
        self.heartbeat.update(|worker| {
            is_draining = worker.status == Some(WorkerStatus::Draining);
            self.progress.busy(!is_draining && status == WorkerStatus::Busy);
            if !is_draining {
                worker.status = Some(status);
                self.health.set_phase(Phase::Serving);
            }
            tell(worker);
        });
        is_draining
    }
}

fn status_in(round: &Round) -> WorkerStatus {
    match round {
        Round::Begins(_) | Round::Job(_) => WorkerStatus::Busy,
        Round::Ends(_) => WorkerStatus::Idle,
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
        Round::Ends(_) => {}
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
