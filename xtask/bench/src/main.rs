//! How fast the registry takes beats, each figure beside those of references measured in the same run.
//!
//! `cargo xtask bench` builds this and the registry's binary in release, and runs it. The references are in this folder:
//! `floor` reads a body and answers, which is what HTTP alone costs; `obvious` is the registry one would write in an
//! afternoon. They differ from the registry in what they do, so the ratios say what a promise costs, not who is better.
//!
//! What limits the figures: the load comes from one thread over a few connections, each of which sends its next request
//! when it has read the answer to the last. Client and server share the machine's cores, so that beats per second are
//! those of both together. The processor time of the server alone is told beside them; neither the client nor a machine
//! that is busy with other things changes it much.

mod beats;
mod clock;
mod connection;
mod cpu;
mod figures;
mod floor;
mod in_process;
mod listen;
mod load;
mod machine;
mod measured;
mod obvious;
mod outcome;
mod over_http;
mod plan;
mod server;
mod subject;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::outcome::Outcome;
use crate::plan::Plan;

#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measure, and print the figures. The registry's binary lies beside this one.
    Run {
        /// Take two minutes, not ten.
        #[arg(long)]
        quick: bool,
    },
    /// Be the reference that only answers.
    Floor,
    /// Be the reference that is the obvious registry.
    Obvious,
}

fn main() -> ExitCode {
    let done = match Args::parse().role {
        Role::Run { quick } => run(if quick { Plan::QUICK } else { Plan::THOROUGH }),
        Role::Floor => listen::forever(floor::app()),
        Role::Obvious => listen::forever(obvious::app(&obvious::Members::start())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: Plan) -> Outcome {
    println!("{}\n{plan}\n", machine::description()?);
    let mut measured = over_http::measure(plan)?;
    measured.extend(in_process::measure(plan)?);
    println!("{}", measured::tables(&measured));
    println!("\nload on the machine when it ended: {}", machine::load()?);
    Ok(())
}
