//! The project's own tasks: demo, setup, test, bench, qos, sim, stop, tidy, ci.

mod bench;
mod ci;
mod clock;
mod consumers;
mod counts;
mod demo;
mod deny;
mod docs;
mod features;
mod licence;
mod mutants;
mod origins;
mod outcome;
mod program;
mod publish;
mod qos;
mod setup;
mod sim;
mod stop;
mod test;
mod tidy;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::demo::ShowFor;
use crate::outcome::Outcome;
use crate::stop::Stop;
use crate::test::Skips;

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start a registry, a hive and eight workers, let some die, and watch the verdicts.
    Demo {
        /// How long to show, from when all members have joined to the closing table: at least 26s. Without it, the demo stays
        /// up afterwards.
        #[arg(long = "for", value_name = "DURATION", value_parser = demo::parse_duration)]
        show_for: Option<Duration>,
    },
    /// Install the programs that some checks need.
    Setup,
    /// Run every test.
    Test,
    /// Measure how fast the registry takes beats, beside references measured in the same run.
    Bench {
        /// Take two minutes, not ten.
        #[arg(long)]
        quick: bool,
    },
    /// Stop a registry while its members live on and some of them die, continue it, and see whom it calls failed.
    Stop {
        /// How many members live on.
        #[arg(long, default_value_t = Stop::FULL.members)]
        members: usize,
        /// For how long the registry is stopped, in whole seconds. Members beat six times meanwhile.
        #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = demo::parse_duration)]
        stop_for: Duration,
        /// With 1,000 members and a stop of 6 s, built without optimizations.
        #[arg(long, conflicts_with_all = ["members", "stop_for"])]
        quick: bool,
    },
    /// Measure how often failure detectors are wrong, at the same time to detect, and write the report.
    Qos {
        #[command(flatten)]
        what: qos::What,
    },
    /// Simulate the whole system, with all that can go wrong, and check what is promised. Without an option, some seeds.
    Sim {
        /// How many seeds to simulate, with a hundred thousand members through a virtual day beside them.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Simulate this seed alone, and tell all that is done in it.
        #[arg(long, conflicts_with_all = ["seeds", "first", "day"])]
        seed: Option<u64>,
        /// Simulate the day alone.
        #[arg(long, conflicts_with_all = ["seeds", "first"])]
        day: bool,
    },
    /// Check what no compiler checks: who may depend on whom, who reads no clock, where files belong, and whether all that
    /// the project began from is here and tested.
    Tidy,
    /// Run all that a change has to pass, and stop at the first failure.
    Ci {
        /// Run the slow forms, too.
        #[arg(long)]
        full: bool,
        /// Of the mutants, which take seven hours, only those of one shard: `2/8` is the third of eight.
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
        /// Run these alone, such as `clippy`, or `mutants`.
        #[arg(value_name = "STEP")]
        steps: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(&Args::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", outcome::report(&*failure));
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Outcome {
    let from = std::env::current_dir()?;
    std::env::set_current_dir(program::workspace_root())?;
    match *task {
        Task::Demo { show_for } => demo::run(show_for.map_or(Ok(ShowFor::UntilCtrlC), ShowFor::at_least_the_script)?),
        Task::Setup => setup::run(),
        Task::Test => test::run(Skips::Allowed),
        Task::Bench { quick } => bench::run(quick),
        Task::Stop { quick: true, .. } => stop::run(Stop::QUICK),
        Task::Stop { members, stop_for, quick: false } => stop::run(Stop { members, stop_for, ..Stop::FULL }),
        Task::Qos { ref what } => qos::run(what, &from),
        Task::Sim { seed: Some(seed), .. } => sim::run(sim::Part::Seed(seed)),
        Task::Sim { day: true, .. } => sim::run(sim::Part::Day),
        Task::Sim { seeds, first, .. } => sim::run(sim::Part::Seeds { first, seeds }),
        Task::Tidy => tidy::run(&known_tasks()).and_then(|()| docs::run()).and_then(|()| origins::prove()),
        Task::Ci { full, ref shard, ref steps } => ci::run(full, steps, shard.as_deref(), &known_tasks()),
    }
}

fn known_tasks() -> Vec<String> {
    Args::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}
