//! Push loops that report a process as alive and working to a heartbeat registry.
//!
//! A worker, a hive or a member of a kind of your own starts one loop. It beats at its interval, and at once when its
//! status changes or it meets an error; it numbers its beats so that a registry can tell runs, order and loss apart; it obeys what the answers
//! ask for; and it says goodbye at the end.
//!
//! ```
//! use heartbeat_contract::{Ack, WorkerHeartbeat, WorkerStatus};
//! use heartbeat_sender::{ChannelTransport, Outcome, WorkerHeartbeatConfig, start_over, system_clock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // With the feature `http`, `start_worker_heartbeat_task(WorkerHeartbeatConfig::new(id, url))` beats to a registry.
//! // Here the beats come to this process instead, and it answers them itself.
//! let (transport, mut deliveries) = ChannelTransport::<WorkerHeartbeat>::new(16);
//! let registry = tokio::spawn(async move {
//!     let mut told = Vec::new();
//!     while let Some(delivery) = deliveries.recv().await {
//!         told.push(delivery.beat.status);
//!         delivery.answer.send(Ok(Ack {
//!             acknowledged: true,
//!             server_time: system_clock(),
//!             next_in_ms: 30_000,
//!             directives: vec![],
//!         }));
//!     }
//!     told
//! });
//!
//! let config = WorkerHeartbeatConfig::in_process("worker-123")
//!     .initially(|worker| worker.status = Some(WorkerStatus::Starting));
//! let heartbeat = start_over(config, transport)?;
//! assert!(matches!(heartbeat.outcomes().next().await, Some(Outcome::Acknowledged { .. })));
//!
//! heartbeat.update(|worker| worker.status = Some(WorkerStatus::Idle));
//! heartbeat.update(|worker| worker.queue_depth = Some(7));
//! let end = heartbeat.shutdown().await;
//! assert!(matches!(end, Outcome::Left { acknowledged: true, .. }));
//! assert_eq!(registry.await?.last(), Some(&Some(WorkerStatus::Idle)));
//! # Ok(())
//! # }
//! ```
//!
//! The loop runs on a thread of its own, with a runtime of its own, so that an application that starves its runtime is
//! still heard, as what it is: alive. That it also *works* is told by [`HeartbeatHandle::progress`], and how its runtime keeps up by
//! [`HeartbeatHandle::watch_runtime`]. [`spawn_on`] runs the
//! loop in a runtime of the application instead, and [`run`] is the loop itself, for simulations.
//!
//! # What it does not do
//!
//! It keeps no beat for later: the first beat that fails is repeated twice within a second, and after that the newest state
//! goes out at the next slot; memory stays flat however long the registry is away. It does not restart, stop or drain anything: what a registry asks for comes with
//! [`HeartbeatHandle::directives`], and obeying is up to the application. It installs no signal handler and no subscriber, and never decides
//! that its registry is dead.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` (default) | `HttpTransport`, `send_heartbeat` and the `start_*_heartbeat_task` functions |
//! | `http-answer` | [`HttpAnswer`]: what an HTTP answer means, for a transport over another HTTP client |
//! | `rustls` | `https://` registries |
//! | `relay` | `Relay`, for hives: passes on the beats of members on its host, many in one request. Unix only |
//! | `cli` | the `heartbeat-sender` binary. Unix only |
//! | `host-metrics` | `HostMetrics` and `HiveHeartbeatConfig::with_host_metrics` |
//! | `nvidia` | the same with NVIDIA's GPUs, whose driver is looked for at run time |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agenda;
#[cfg(feature = "http-answer")]
mod answer;
mod asked;
mod channel;
#[cfg(all(feature = "cli", unix))]
pub mod cli;
#[cfg(feature = "http")]
mod client;
mod clock;
mod config;
mod counters;
mod delivery;
mod directives;
mod handle;
#[cfg(feature = "host-metrics")]
mod host_metrics;
#[cfg(feature = "http")]
mod http;
mod journal;
mod lag;
mod outcome;
mod panic;
#[cfg(feature = "http")]
mod place;
mod progress;
#[cfg(all(feature = "relay", unix))]
mod relay;
mod route;
mod run;
mod schedule;
mod send_error;
mod shared;
mod shown;
mod sleep;
mod spread;
mod stamp;
mod start;
#[cfg(feature = "http")]
mod token;
mod transport;
mod verdict;

#[cfg(feature = "http-answer")]
pub use answer::HttpAnswer;
pub use channel::{Answer, ChannelTransport, Delivery};
pub use clock::{system_clock, system_sleep};
pub use config::{ConfigError, HeartbeatConfig, HiveHeartbeatConfig, WorkerHeartbeatConfig};
pub use counters::{Counters, Failures};
pub use directives::Directives;
pub use handle::{HeartbeatHandle, HeartbeatTask, heartbeat_task};
pub use heartbeat_contract as contract;
#[cfg(feature = "host-metrics")]
pub use host_metrics::{HostMetrics, HostMetricsConfig};
#[cfg(feature = "http")]
pub use http::{HttpTransport, send_heartbeat};
pub use outcome::{Outcome, Outcomes};
pub use progress::{Progress, Working};
#[cfg(all(feature = "relay", unix))]
pub use relay::{Peer, Peers, Relay, RelayConfig, Serving};
pub use run::run;
pub use send_error::SendError;
pub use start::{spawn_on, start_over};
#[cfg(feature = "http")]
pub use start::{start_heartbeat_task, start_hive_heartbeat_task, start_worker_heartbeat_task};
pub use transport::Transport;
