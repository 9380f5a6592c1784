//! A worker and its monitor as tasks of one program, with channels between them: results every 500 ms, heartbeats every
//! second, a fault if none comes for 3 s, and a clean end of everything after 10 s, at a fault or at Ctrl-C.
//!
//! With `--heartbeat 5s` the worker beats too seldom for its monitor. How it works is in `examples/src/pipeline`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use examples::pipeline::{Monitor, Worker, coordinate};
use examples::{asked_to_stop, exit_code, parse_duration, parse_interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A worker with heartbeats, a monitor, and a loop over results, errors and cancellation.
#[derive(Parser)]
struct Args {
    /// How often the worker beats.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval)]
    heartbeat: Duration,
    /// How often it has a result.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_interval)]
    work: Duration,
    /// After how long without a heartbeat the monitor tells a fault.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_interval)]
    timeout: Duration,
    /// After how long all of it ends.
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    lasts: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let worker = Worker::new(args.heartbeat, args.work, &tasks);
    let monitor = Monitor::new(args.timeout, &tasks)?;

    let (results, heartbeats) = worker.do_work(cancel.clone());
    let errors = monitor.watch(cancel.clone(), heartbeats);
    let end = tokio::select! {
        end = coordinate(&cancel, results, errors, |result| println!("{result}")) => end.map_err(Into::into),
        () = tokio::time::sleep(args.lasts) => Ok(()),
        asked = asked_to_stop() => asked.map_err(Into::into),
    };
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
    println!("all tasks have ended");
    end
}
