//! Stops a registry with SIGSTOP while thousands of members beat, lets some of them die meanwhile, and continues it: nobody
//! who lives on may be failed, and who died is failed within the published bound.
//!
//! `cargo xtask stop` builds this and the registry's binary, and runs it. Members are real loops of `heartbeat-sender` in
//! processes of their own. They beat six times in the time of the stop, so that without credit for it all of them would
//! fail before the registry can hear any.

mod cast;
mod clock;
mod members;
mod outcome;
mod plan;
mod play;
mod sightings;
mod verdict;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::cast::Cast;
use crate::outcome::Outcome;
use crate::plan::Plan;

#[derive(Parser)]
#[command(name = "stop")]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Stop a registry, and say what became of its members. The registry's binary lies beside this one.
    Run {
        /// How many members live on.
        #[arg(long)]
        members: usize,
        /// For how many seconds the registry is stopped.
        #[arg(long)]
        seconds: u64,
    },
    /// Be some of the members, until standard input ends.
    Members(members::Args),
}

fn main() -> ExitCode {
    let done = match Args::parse().role {
        Role::Run { members, seconds } => run(Plan::new(members, Duration::from_secs(seconds))),
        Role::Members(args) => members::beat(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Dropped, it kills everyone: a stopped process would otherwise stay.
        let mut cast = Cast::start(&plan)?;
        tokio::select! {
            _ = interrupt.recv() => Err("interrupted".into()),
            _ = terminate.recv() => Err("terminated".into()),
            verdict = play::play(&plan, &mut cast) => {
                println!("{}", verdict?.told()?);
                Ok(())
            }
        }
    })
}
