//! All that a change has to pass, one step after the other.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::demo::{self, ShowFor};
use crate::outcome::Outcome;
use crate::stop::{self, Stop};
use crate::test::{self, Skips};
use crate::{clock, consumers, counts, deny, docs, features, mutants, origins, program, publish, qos, sim, tidy};

const DEMO: Duration = Duration::from_secs(30);
/// How often, and how long, the demo has to pass in a row in the full form.
const DEMOS: u32 = 10;
const LONG_DEMO: Duration = Duration::from_secs(40);

/// How many seeds the simulation goes through for every change, and how many, others, in the full form.
const SEEDS: u64 = 120;
const MANY_SEEDS: u64 = 2_000;

struct Step<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> Outcome + 'a>,
}

fn step<'a>(name: &'static str, run: impl Fn() -> Outcome + 'a) -> Step<'a> {
    Step { name, run: Box::new(run) }
}

/// Runs the steps that are asked for, or all; of the mutants, one shard if that is asked for.
pub(crate) fn run(full: bool, asked_for: &[String], shard: Option<&str>, tasks: &[String]) -> Outcome {
    let mut steps = every_change(tasks);
    if full || !asked_for.is_empty() {
        steps.extend(by_command_only(shard));
    }
    let steps = chosen(steps, asked_for)?;
    let mut took = Vec::new();
    for Step { name, run } in steps {
        eprintln!("\n==> {name}");
        let started = clock::instant();
        let ended = run();
        took.push((name, since(started)));
        eprintln!("<== {name}: {}", seconds(since(started)));
        if let Err(failure) = ended {
            eprintln!("\n{}", table(&took));
            return Err(format!("{name}: {failure}\n  to run it again: cargo xtask ci {name}").into());
        }
    }
    eprintln!("\n{}", table(&took));
    Ok(())
}

fn chosen<'a>(steps: Vec<Step<'a>>, asked_for: &[String]) -> Outcome<Vec<Step<'a>>> {
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    if let Some(unknown) = asked_for.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("no step {unknown}: there are {}", names.join(", ")).into());
    }
    let is_asked_for = |step: &Step<'_>| asked_for.is_empty() || asked_for.iter().any(|name| name == step.name);
    Ok(steps.into_iter().filter(is_asked_for).collect())
}

/// The cheap ones first.
fn every_change(tasks: &[String]) -> Vec<Step<'_>> {
    vec![
        step("fmt", || cargo(&["fmt", "--all", "--check"])),
        step("tidy", || tidy::run(tasks)),
        step("deny", deny::run),
        step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])),
        step("test", || test::run(Skips::Forbidden)),
        step("origins", origins::prove),
        step("counts", counts::run),
        step("docs", docs::run),
        step("features", each_feature_alone),
        step("consumers", consumers::run),
        step("publish", publish::run),
        step("qos", || qos::run(&qos::What::quick(), program::workspace_root())),
        step("sim", || sim::run(sim::Part::Seeds { first: 1, seeds: SEEDS })),
        step("demo", || demo::run(ShowFor::at_least_the_script(DEMO)?)),
        step("stop", || stop::run(Stop::QUICK)),
    ]
}

/// What takes too long for every change. New slow forms of a check belong here.
fn by_command_only(shard: Option<&str>) -> Vec<Step<'_>> {
    vec![
        step("mutants", move || mutants::run(shard)),
        step("million counts", counts::a_million),
        step("demos", || (0..DEMOS).try_for_each(|_| demo::run(ShowFor::at_least_the_script(LONG_DEMO)?))),
        step("long-stop", || stop::run(Stop::FULL)),
        step("full qos", || qos::run(&qos::What::default(), program::workspace_root())),
        step("seeds", || sim::run(sim::Part::Seeds { first: SEEDS + 1, seeds: MANY_SEEDS })),
    ]
}

fn cargo(args: &[&str]) -> Outcome {
    program::run(program::cargo().args(args))
}

fn each_feature_alone() -> Outcome {
    features::checks()?.iter_mut().try_for_each(|check: &mut Command| program::run(check))
}

fn since(started: Instant) -> Duration {
    clock::instant().duration_since(started)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn table(took: &[(&str, Duration)]) -> String {
    let total = ("total", took.iter().map(|(_, duration)| *duration).sum());
    let rows = took.iter().chain([&total]);
    rows.map(|(name, duration)| format!("{name:<16}{:>10}", seconds(*duration))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_can_be_chosen_by_name_and_unknown_ones_are_refused() {
        let steps = || vec![step("fmt", || Ok(())), step("test", || Ok(()))];
        let names = |asked_for: &[&str]| {
            let asked_for: Vec<String> = asked_for.iter().map(|name| (*name).to_owned()).collect();
            let chosen = chosen(steps(), &asked_for).map_err(|error| error.to_string())?;
            Ok::<_, String>(chosen.iter().map(|step| step.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]), Ok(vec!["fmt", "test"]));
        assert_eq!(names(&["test"]), Ok(vec!["test"]));
        assert_eq!(names(&["tset"]), Err("no step tset: there are fmt, test".to_owned()));
    }

    #[test]
    fn the_closing_table_lines_up_and_adds_up() {
        let text = table(&[("fmt", Duration::from_millis(1_250)), ("clippy", Duration::from_secs(100))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "total              101.2 s");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    }
}
