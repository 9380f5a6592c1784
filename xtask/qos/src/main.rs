//! How often failure detectors are wrong, at the same time to detect, on six kinds of traffic.

mod baselines;
mod blindness;
mod closed_form;
mod detector;
mod outcome;
mod parallel;
mod random;
mod registry;
mod score;
mod statistics;
mod study;
mod trace;
mod traffic;
mod tune;

use std::process::ExitCode;

fn main() -> ExitCode {
    let plan = if std::env::args().any(|a| a == "--quick") { study::Plan::QUICK } else { study::Plan::FULL };
    match closed_form::reproduce(&plan.scored_seeds(), plan.intervals) { Ok(t) => print!("{t}"), Err(e) => { eprintln!("{e}"); return ExitCode::FAILURE } }
    for case in study::Case::all() {
        let measured = study::measure(case, plan);
        println!("{case}");
        for kind in detector::Kind::ALL {
            print!("{kind:<20}");
            for t in study::TARGETS {
                match measured.result(kind, t) { Some(r) => print!("{:>10.1} ({:>6.3} {:>6.1} {:.6})", r.rate(), r.knob, r.scores.iter().map(|s| s.max_td).fold(0.0, f64::max), statistics::mean(&r.scores.iter().map(|s| s.mean_td).collect::<Vec<_>>())), None => print!("{:>10}", "n/a") }
            }
            println!();
        }
    }
    ExitCode::SUCCESS
}
