//! A hive: tells a registry how its machine fares.

use std::error::Error;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{Health, Phase};
use examples::{asked_to_stop, exit_code, parse_duration};
use heartbeat_contract::{Directive, HiveHeartbeat, MemberId, VramInfo};
use heartbeat_sender::{HeartbeatHandle, HiveHeartbeatConfig, HostMetrics, start_hive_heartbeat_task};
use tokio::net::TcpListener;

/// How long to look for GPUs before saying that nothing is known of any.
const LOOKS_FOR_GPUS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A hive that beats to a registry with the figures of its machine.
#[derive(Parser)]
struct Args {
    /// Where the registry is.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// Who this hive is.
    #[arg(long)]
    id: MemberId,
    /// How often it beats.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
    /// The file with the token that the registry asks for.
    #[arg(long, value_name = "FILE", env = "HEARTBEAT_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(Args::parse()).await)
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let health = Health::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    eprintln!("health on {endpoint}");

    let mut config = HiveHeartbeatConfig::new(args.id.as_str(), args.registry).with_host_metrics();
    config.interval = args.interval;
    config.bearer_token_file = args.token_file;
    config.endpoint = Some(endpoint);
    let heartbeat = start_hive_heartbeat_task(config)?;
    health.set_phase(Phase::Serving);
    let tell_gpus = async {
        println!("{}", in_words(look_for_gpus(args.id).await?.as_deref()));
        std::future::pending().await
    };
    let end: Result<(), Box<dyn Error>> = tokio::select! {
        biased;
        asked = asked_to_stop() => asked.map_err(Into::into),
        () = told_to_end(&heartbeat) => Ok(()),
        failed = tell_gpus => failed,
        served = axum::serve(listener, health.router()).into_future() => served.map_err(Into::into),
    };
    heartbeat.shutdown().await;
    end
}

/// Waits until the registry asks for the end.
async fn told_to_end(heartbeat: &HeartbeatHandle<HiveHeartbeat>) {
    let mut directives = heartbeat.directives();
    loop {
        match directives.next().await {
            Some(Directive::Shutdown) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

async fn look_for_gpus(id: MemberId) -> Result<Option<Vec<VramInfo>>, Box<dyn Error>> {
    let metrics = HostMetrics::start()?;
    let mut figures = HiveHeartbeat::new(id);
    for _ in 0..LOOKS_FOR_GPUS {
        metrics.fill(&mut figures);
        if figures.vram_per_device.is_some() {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(figures.vram_per_device)
}

fn in_words(gpus: Option<&[VramInfo]>) -> String {
    match gpus {
        None => "gpus: unknown".to_owned(),
        Some([]) => "gpus: none".to_owned(),
        Some(gpus) => {
            let names = gpus.iter().map(|gpu| {
                let name = gpu.name.as_deref().unwrap_or("unnamed");
                format!("{name} ({:.0} GB)", gpu.total_gb)
            });
            format!("gpus: {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_gpu_and_no_knowledge_of_gpus_are_told_apart() {
        assert_eq!(in_words(None), "gpus: unknown");
        assert_eq!(in_words(Some(&[])), "gpus: none");
        let gpu = VramInfo { name: Some("GPU 0".to_owned()), ..VramInfo::new(0, 1.0, 24.0) };
        assert_eq!(in_words(Some(&[gpu])), "gpus: GPU 0 (24 GB)");
    }
}
