//! Many seeds, each twice, on as many threads as there are cores.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::net;

type Outcome<T = ()> = Result<T, String>;

/// How many violations of a seed are told.
const TOLD: usize = 5;

/// Simulates each seed twice: no promise may be broken, and both logs must be the same to the byte.
pub(crate) fn run(first: u64, seeds: u64) -> Outcome {
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let (events, simulated) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(seeds) {
                        return;
                    }
                    match twice(seed) {
                        Ok(ended) => {
                            events.fetch_add(ended.log.lines().count() as u64, Ordering::Relaxed);
                            simulated.fetch_add(ended.simulated, Ordering::Relaxed);
                        }
                        Err(failure) => {
                            eprintln!("{failure}");
                            failures.lock().expect("no thread panics while it holds this").push(seed);
                        }
                    }
                }
            });
        }
    });
    let mut failed = failures.into_inner().expect("no thread panics while it holds this");
    failed.sort_unstable();
    if !failed.is_empty() {
        return Err(format!("{} of {seeds} seeds failed: {failed:?}", failed.len()));
    }
    let (events, simulated) = (events.into_inner(), simulated.into_inner());
    println!("{seeds} seeds from {first} on, each twice with the same log: {simulated} s simulated, {events} events");
    Ok(())
}

/// One simulation, as its process told it.
struct Ended {
    log: String,
    /// In seconds.
    simulated: u64,
    violations: Vec<String>,
}

fn twice(seed: u64) -> Outcome<Ended> {
    let (once, again) = (in_a_process(seed)?, in_a_process(seed)?);
    let mut found: Vec<String> = once.violations.iter().take(TOLD).cloned().collect();
    found.extend(difference(&once.log, &again.log));
    if found.is_empty() {
        return Ok(once);
    }
    Err(format!("seed {seed}:\n  {}\n  to see it again: cargo xtask sim --seed {seed}", found.join("\n  ")))
}

/// In a process of its own: what order a runtime drops its tasks in depends on how many tasks there were before.
fn in_a_process(seed: u64) -> Outcome<Ended> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).args(["one", &seed.to_string()]).output().map_err(|error| error.to_string())?;
    let (told, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut violations: Vec<String> = complaints.lines().map(str::to_owned).collect();
    let (log, simulated) = match told.trim_end().rsplit_once('\n') {
        Some((log, simulated)) => (log, simulated),
        None => ("", told.trim_end()),
    };
    if !output.status.success() && violations.is_empty() {
        violations.push(format!("it ended with {}", output.status));
    }
    let simulated = simulated.parse().unwrap_or(0);
    Ok(Ended { log: log.to_owned(), simulated, violations })
}

/// Where two logs are not the same.
fn difference(once: &str, again: &str) -> Option<String> {
    let lines = once.lines().zip(again.lines()).enumerate();
    if let Some((place, (one, other))) = lines.into_iter().find(|(_, (one, other))| one != other) {
        return Some(format!("I8: event {} differs from run to run:\n    {one}\n    {other}", place + 1));
    }
    (once != again).then(|| "I8: one run logs more events than the other".to_owned())
}

/// Simulates one seed in this process: the log and how many seconds were simulated on stdout, violations on stderr.
pub(crate) fn one(seed: u64, tells: bool) -> Outcome {
    let ended = net::simulate(seed, tells);
    let log = if tells { "" } else { &ended.log };
    println!("{log}{}", ended.simulated.as_secs());
    for violation in &ended.violations {
        eprintln!("{violation}");
    }
    if ended.violations.is_empty() { Ok(()) } else { Err(String::new()) }
}

/// Simulates one seed, tells all that is done in it, and checks it as [`run`] does.
pub(crate) fn replay(seed: u64) -> Outcome {
    let told = one(seed, true).is_ok();
    let ended = twice(seed)?;
    if !told {
        return Err("it failed once and not the next time".to_owned());
    }
    println!("seed {seed}: {} s simulated, every promise kept", ended.simulated);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn logs_that_are_not_the_same_to_the_byte_are_found() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert!(difference("a\nb\n", "a\nc\n").is_some_and(|found| found.starts_with("I8: event 2 differs")));
        assert!(difference("a\nb\n", "a\n").is_some_and(|found| found.contains("more events")));
    }
}
