//! The whole system in simulated time, with all that can go wrong, and the promises it has to keep meanwhile.
//!
//! `cargo xtask sim` builds this in release and runs it. In `net` the registry's own router, accept loop and driver and the
//! senders' own loop run over a simulated network: machines and processes crash, freeze and come back, links fail, hold and
//! delay what they carry, clocks jump, and the registry itself is stopped or dies. In `day` a hundred thousand members go
//! through a day without a network. `check` is told all that happens, and holds it beside what the registry promises.
//!
//! All that happens is drawn from a seed, so that a seed that fails can be replayed.

mod check;
mod day;
mod net;
mod seeds;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Simulate the network, for many seeds.
    Net {
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// How many.
        #[arg(long)]
        seeds: u64,
    },
    /// Take a hundred thousand members through a virtual day, without a network.
    Day,
    /// Simulate the network for one seed, print the log, and tell what was violated.
    One {
        /// The seed.
        seed: u64,
    },
    /// Simulate the network for one seed, and tell all that is done in it.
    Replay {
        /// The seed.
        seed: u64,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().part {
        Part::Net { first, seeds } => seeds::run(first, seeds),
        Part::Day => day::run(),
        Part::One { seed } => seeds::one(seed, false),
        Part::Replay { seed } => seeds::replay(seed),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_empty() {
                eprintln!("sim: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}
