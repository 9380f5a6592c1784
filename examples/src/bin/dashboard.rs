//! A table of everybody's health, read from a registry elsewhere with the typed client.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use examples::dashboard::{Dashboard, Look};
use examples::parse_interval;
use heartbeat_registry::MembersQuery;
use heartbeat_registry::client::{Client, ClientError};

/// Shows the health of a registry's members again and again.
#[derive(Parser)]
struct Args {
    /// Where the registry is.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// How often to look.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_interval)]
    every: Duration,
    /// How often to look before it ends by itself; without, it goes on.
    #[arg(long, value_name = "N")]
    times: Option<u64>,
}

/// Ends with a failure if the last look failed.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut looked = 0;
    loop {
        let end = show(&args.registry).await;
        looked += 1;
        if let Err(error) = &end {
            eprintln!("error: {error}");
        }
        if args.times.is_some_and(|times| looked >= times) || end.as_ref().is_err_and(ClientError::is_usage) {
            return if end.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        tokio::time::sleep(args.every).await;
    }
}

async fn show(registry: &str) -> Result<(), ClientError> {
    let client = Client::new(registry)?;
    let mut members = Vec::new();
    for kind in client.stats().await?.kinds.keys() {
        members.extend(client.all_members(kind, &MembersQuery::default()).await?);
    }
    println!("{}", Dashboard::new(members, Look::for_stdout()));
    Ok(())
}
