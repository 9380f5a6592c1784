//! How often failure detectors are wrong, at the same time to detect, on six kinds of traffic.
//!
//! `cargo xtask qos` builds this in release and runs it. The registry's own detectors are compiled in from their files in
//! `heartbeat-registry/src/core`; the others are written from their formulas in `baselines`. First of all the simulation
//! has to reproduce a case whose answer is known in closed form.

mod baselines;
mod blindness;
mod closed_form;
mod detector;
mod goals;
mod outcome;
mod parallel;
mod plot;
mod random;
mod record;
mod registry;
mod replay;
mod report;
mod score;
mod statistics;
mod study;
mod trace;
mod traffic;
mod tune;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::outcome::Outcome;
use crate::replay::{Replayed, Which};
use crate::study::{Case, Measured, Plan};

/// From the top of the workspace.
const REPORT: &str = "xtask/report";

#[derive(Parser)]
#[command(name = "qos")]
struct Args {
    /// Measure less, write nothing, and fail if a number to reach is missed.
    #[arg(long, conflicts_with = "trace")]
    quick: bool,
    /// Score one detector on this trace instead: lines of `tick,arrival` in intervals.
    #[arg(long, value_name = "FILE", requires_all = ["detector", "target_td"])]
    trace: Option<PathBuf>,
    #[arg(long, requires = "trace")]
    detector: Option<Which>,
    /// The mean detection time to tune for, in intervals.
    #[arg(long, value_name = "INTERVALS", requires = "trace", value_parser = positive)]
    target_td: Option<f64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match (args.trace, args.detector, args.target_td) {
        (Some(file), Some(detector), Some(target)) => replay_file(&file, detector, target),
        _ if args.quick => quick(),
        _ => full(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qos: {error}");
            ExitCode::FAILURE
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("not a positive number".to_owned()) }
}

fn quick() -> Outcome {
    let (closed_form, all) = measure(Plan::QUICK)?;
    print!("{}", report::summary("cargo xtask qos --quick", Plan::QUICK, &closed_form, &all));
    for picture in plot::pictures(&all) {
        picture.svg();
        picture.png();
    }
    let missed: Vec<String> = goals::goals(&all).iter().filter(|goal| !goal.is_met).map(ToString::to_string).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n").into()) }
}

fn full() -> Outcome {
    let (closed_form, all) = measure(Plan::FULL)?;
    let summary = report::summary("cargo xtask qos", Plan::FULL, &closed_form, &all);
    print!("{summary}");
    let folder = Path::new(REPORT);
    fs::create_dir_all(folder).map_err(|error| format!("{REPORT}: {error}"))?;
    write(&folder.join("qos.txt"), format!("{summary}\n{}", report::in_full(&all)).as_bytes())?;
    for picture in plot::pictures(&all) {
        write(&folder.join(picture.name).with_extension("svg"), picture.svg().as_bytes())?;
        write(&folder.join(picture.name).with_extension("png"), &picture.png())?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Outcome {
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    eprintln!("written: {}", path.display());
    Ok(())
}

fn measure(plan: Plan) -> Outcome<(String, Vec<Measured>)> {
    eprintln!("qos: {plan}");
    let closed_form = closed_form::reproduce(&plan.scored_seeds(), plan.intervals)?;
    let mut all = Vec::new();
    for case in Case::all() {
        eprintln!("qos: {case}: {}", case.traffic.says());
        all.push(study::measure(case, plan));
    }
    Ok((closed_form, all))
}

fn replay_file(file: &Path, detector: Which, target: f64) -> Outcome {
    let trace = record::read(file)?;
    let beats = trace.beats.len();
    let Replayed { knob, scored, score } =
        replay::replay(trace, detector, target).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{beats} beats, of which the last {scored} were scored; knob {knob:.6}, tuned on the others");
    println!("{}", replay::line(&score));
    Ok(())
}
