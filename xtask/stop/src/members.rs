//! Many members in one process.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Ack, WorkerHeartbeat};
use heartbeat_sender::{HttpTransport, SendError, Transport, WorkerHeartbeatConfig, spawn_on};

use crate::outcome::Outcome;

/// How many members share a connection. One each would take more than the 10,000 that a registry accepts.
const PER_CONNECTION: usize = 4;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the registry is.
    #[arg(long)]
    registry: String,
    /// How their ids begin; a number follows.
    #[arg(long)]
    prefix: String,
    /// How many they are.
    #[arg(long)]
    count: usize,
    /// How often each beats, in milliseconds.
    #[arg(long)]
    interval_ms: u64,
}

/// Beats until standard input ends, as it does with the process that started this one.
pub(crate) fn beat(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut handles = Vec::new();
    let mut transport = None;
    for number in 0..args.count {
        if number % PER_CONNECTION == 0 {
            transport = Some(Shared(Arc::new(HttpTransport::new(&args.registry)?)));
        }
        let transport = transport.clone().expect("the first number is a multiple");
        let mut config = WorkerHeartbeatConfig::new(format!("{}{number}", args.prefix), &args.registry);
        config.interval = Duration::from_millis(args.interval_ms);
        handles.push(spawn_on(runtime.handle(), config, transport)?);
    }
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::stdin().read_to_end(&mut Vec::new());
        // Whoever waits for it may be gone.
        ended.send(read).ok();
    });
    runtime.block_on(has_ended)??;
    // Without goodbyes: it is over.
    std::mem::forget(handles);
    Ok(())
}

#[derive(Clone)]
struct Shared(Arc<HttpTransport>);

impl Transport<WorkerHeartbeat> for Shared {
    fn send(&self, beat: WorkerHeartbeat) -> impl Future<Output = Result<Ack, SendError>> + Send {
        self.0.send(beat)
    }
}
