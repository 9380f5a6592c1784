//! Tracks heartbeats and says within a bounded time, without false alarms, who is not alive and why.
//!
//! ```
//! use heartbeat_registry::contract::{HealthState, MemberId, Policy, WorkerHeartbeat};
//! use heartbeat_registry::{FleetConfig, WorkerRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workers = WorkerRegistry::start(FleetConfig::default())?;
//! let mut transitions = workers.subscribe();
//! let id = MemberId::new("worker-123")?;
//! workers.start_monitoring(&id, Policy::every(std::time::Duration::from_millis(100)))?;
//! workers.record(WorkerHeartbeat::new(id.clone()))?;
//! // No other beat comes: failed after three intervals and an allowance of a quarter, 325 ms.
//! while transitions.next().await?.to != HealthState::Failed {}
//! assert_eq!(workers.unhealthy(HealthState::Failed), [id]);
//! workers.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Fleet`] owns the clock, the deadlines and the event log of members of all kinds; a [`Registry`] is a typed handle
//! to one kind. A driver on a thread of its own judges each member the moment it is due, and nobody else: a sweep costs
//! what is due, not what is known.
//!
//! # The promise
//!
//! A member that falls silent is `failed` once its age exceeds `threshold x interval + allowance`
//! ([`ResolvedPolicy::failed_after`](contract::ResolvedPolicy::failed_after)), plus any hold, plus 1 ms of processing.
//! Ages are judged by the registry's own monotonic clock less the time in which the registry itself could not listen, so
//! that neither clock skew nor a stopped registry fails anyone. From the death itself, add the time since the last beat
//! was received.
//!
//! Holds keep a member critical for a while: the time to start that its policy gives it, an interval if it
//! answers a probe although its beats are missing, and up to two minutes if too many hosts fell silent at once
//! ([`Fleet::protections`]).
//!
//! # What it does not do
//!
//! It never polls members, restarts nothing, and keeps beats in memory only: after a restart it learns its members from
//! their next beats, and judges nobody before a full deadline.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none | the in-memory registry |
//! | `http` (default) | [`http`]: an axum router for an app of yours, bearer tokens, and an accept loop with timeouts |
//! | `alerts` | [`alerts`]: alerts that are sent to webhooks and to Alertmanagers |
//! | `client` | [`client`]: typed reads from a registry elsewhere |
//! | `verify` | [`verify`]: one probe of a member's endpoint, on demand |
//! | `rustls` | `https://` for `alerts`, `client` and `verify` |
//! | `server` | what only the `heartbeat-registry` binary needs |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod alert;
#[cfg(feature = "alerts")]
pub mod alerts;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
mod clock;
mod config;
mod core;
mod driver;
mod engine;
mod error;
mod explanation;
mod fleet;
mod gauges;
mod history;
mod history_query;
#[cfg(feature = "http")]
pub mod http;
mod kinds;
mod lock;
mod log;
mod notable;
mod query;
mod readable;
mod registry;
mod subscription;
#[cfg(feature = "http")]
mod tokens;
#[cfg(feature = "verify")]
pub mod verify;
mod view;
mod weak;

pub use alert::{Alert, AlertStats, Alerts, AlertsHandle, Reply};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{ConfigError, FleetConfig};
pub use error::{DirectiveError, RecordError, UnknownMember};
pub use fleet::{Fleet, StartError};
pub use heartbeat_contract as contract;
pub use history_query::{HistoryQuery, InvalidMoment, Moment};
pub use query::{InvalidQuery, MembersQuery};
pub use registry::{HiveRegistry, Outcome, Recorded, Registry, WorkerRegistry};
pub use subscription::{Events, SubscriptionError, Transition, Transitions};
pub use weak::{WeakFleet, WeakRegistry};
