//! Starting a daemon, and going on only when it is really there: the queen accepts requests, the hive is spawned, the hive
//! accepts requests, the queen has its first beat. Then the hive is stopped.
//!
//! Waiting for the queen, which somebody else has started, is `poll_until_healthy`. Waiting for a child of one's own is
//! `Daemon::wait_until_healthy`, which ends at once if the child does.

use std::env::consts::EXE_SUFFIX;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{Daemon, HealthPollConfig, Healthy, PollError, poll_until_healthy};
use examples::{Stopwatch, asked_to_stop, exit_code};
use heartbeat_contract::{HealthState, Kind, MemberId};
use heartbeat_registry::client::Client;

const TO_TELL_ITS_ADDRESS: Duration = Duration::from_secs(10);
const TO_BEAT: Duration = Duration::from_secs(30);
const TO_STOP: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Starts a hive, waits until it is up and known, and stops it.
#[derive(Parser)]
struct Args {
    /// Where the registry is.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// Who the hive is to be.
    #[arg(long, default_value = "hive-1")]
    id: MemberId,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let end = tokio::select! {
        end = start_and_stop(&args) => end,
        // A daemon that is dropped is killed.
        asked = asked_to_stop() => asked.map_err(Into::into),
    };
    exit_code(end)
}

async fn start_and_stop(args: &Args) -> Result<(), Box<dyn Error>> {
    let time = Stopwatch::start();
    wait_for_daemon_ready(&args.registry).await?;
    println!("{time}  the registry accepts requests");

    let program = std::env::current_exe()?.with_file_name(format!("hive{EXE_SUFFIX}"));
    let mut hive = Daemon::command(program)
        .args(["--registry", &args.registry, "--id", args.id.as_str(), "--interval", "5s"])
        .spawn()?;
    println!("{time}  the hive is started, pid {}", hive.pid());
    let told = |line: &str| line.strip_prefix("health on ").map(str::to_owned);
    let url = hive.wait_for_line(move |line| told(&line.text), TO_TELL_ITS_ADDRESS).await?;
    let healthy = hive.wait_until_healthy(start_up(&url)).await?;
    println!("{time}  the hive accepts requests at {}", healthy.url);

    tokio::time::timeout(TO_BEAT, first_beat(&args.registry, &args.id))
        .await
        .map_err(|_| format!("{} did not beat within {TO_BEAT:?}", args.id))??;
    println!("{time}  the registry has its first beat");
    let stopped = hive.stop(TO_STOP).await?;
    println!("{time}  the hive is stopped: {}", stopped.status);
    Ok(())
}

/// Waits until a daemon accepts requests.
async fn wait_for_daemon_ready(url: &str) -> Result<Healthy, PollError> {
    poll_until_healthy(start_up(url)).await
}

/// How patient to be with a daemon that starts.
fn start_up(url: &str) -> HealthPollConfig {
    HealthPollConfig { url: url.to_owned(), max_attempts: 10, initial_delay_ms: 200, backoff_multiplier: 1.5 }
}

/// Waits until the registry calls a hive healthy.
async fn first_beat(registry: &str, id: &MemberId) -> Result<(), Box<dyn Error>> {
    let client = Client::new(registry)?;
    loop {
        match client.member(&Kind::HIVE, id).await {
            Ok(hive) if hive.state == HealthState::Healthy => return Ok(()),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
