//! Beats for this host.

mod exits;
mod pids;
mod watched;

use std::io;
use std::time::Duration;

use heartbeat_contract::HiveHeartbeat;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;

use self::pids::Pids;
pub(super) use self::watched::Watched;
use super::args::HiveArgs;
use super::run::{as_id, host_name};
use super::to::unusable;
use super::{FAILED, Failed, OK};
use crate::clock::monotonic;
use crate::relay::{Relay, RelayConfig};
use crate::{HeartbeatHandle, HiveHeartbeatConfig, start_over};

/// How often what lasts is looked at again: the ages of exits, pid files, and processes where the system tells of no end.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn hive(args: &HiveArgs) -> Result<u8, Failed> {
    super::log(if args.verbose { Level::INFO } else { Level::WARN });
    let id = match &args.id {
        Some(id) => id.clone(),
        None => as_id(&host_name())?,
    };
    let mut config = HiveHeartbeatConfig::new(id.as_str(), "").with_host_metrics();
    args.to.apply(&mut config);
    args.place.apply(&mut config);
    config.interval = args.interval;
    let transport = args.to.transport(&config)?;
    let relayed = match &args.relay {
        Some(path) => Some((path, args.to.transport(&config)?)),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::new(&error, FAILED))?;
    let done = runtime.block_on(async {
        let relay = match relayed {
            Some((path, upstream)) => {
                let relay =
                    Relay::bind(path, RelayConfig { mode: args.relay_mode, hive_id: Some(id.clone()) }, upstream);
                Some(relay.map_err(|error| Failed::new(&error, FAILED))?)
            }
            None => None,
        };
        let heartbeat = start_over(config, transport).map_err(|error| unusable(&error))?;
        let failed = |error: io::Error| Failed::new(&error, FAILED);
        let ends = [signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?];
        look_after(&heartbeat, relay, &args.watch, ends).await;
        heartbeat.shutdown().await;
        Ok(OK)
    });
    runtime.shutdown_background();
    done
}

/// Watches and relays until a signal asks to end.
async fn look_after(
    heartbeat: &HeartbeatHandle<HiveHeartbeat>,
    relay: Option<Relay>,
    watched: &[Watched],
    ends: [tokio::signal::unix::Signal; 2],
) {
    let mut pids = Pids::new(watched);
    pids.look(monotonic());
    for worker in pids.unfound() {
        tracing::warn!(%worker, "no process to watch so far");
    }
    let (mut relay, mut peers) = match relay {
        Some(relay) => {
            let (serving, peers) = relay.serve();
            (Some(serving), Some(peers))
        }
        None => (None, None),
    };
    let [mut interrupt, mut terminate] = ends;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let has_news = tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            peer = next_peer(&mut peers) => {
                pids.beats(peer, monotonic());
                continue;
            }
            () = pids.ended() => pids.collect(monotonic()),
            _ = look.tick() => pids.look(monotonic()),
        };
        let told = pids.told(monotonic());
        heartbeat.update(|hive| hive.exited = told);
        if has_news {
            heartbeat.beat_now();
        }
    }
    if let Some(serving) = relay.take() {
        serving.stop().await;
    }
}

async fn next_peer(peers: &mut Option<crate::relay::Peers>) -> crate::relay::Peer {
    if let Some(peers) = peers
        && let Some(peer) = peers.next().await
    {
        return peer;
    }
    std::future::pending().await
}
