//! What travels between heartbeat senders, registries and their clients.
//!
//! A *member* (a worker, a hive, or a kind of your own) sends *beats*; a registry answers each with an [`Ack`], judges
//! the member's [`HealthState`], and tells it in [`MemberView`]s and [`Event`]s. This crate holds those shapes, their
//! limits and their decoding. It knows no socket, no task and no clock.
//!
//! Only the id is required in a beat:
//!
//! ```
//! use heartbeat_contract::{decode, DecodeError, WorkerHeartbeat, WorkerStatus};
//!
//! let beat: WorkerHeartbeat = decode(br#"{"worker_id": "worker-123", "status": "busy"}"#)?;
//! assert_eq!(beat.worker_id.as_str(), "worker-123");
//! assert_eq!(beat.status, Some(WorkerStatus::Busy));
//!
//! let refused = decode::<WorkerHeartbeat>(br#"{"worker_id": "worker-123", "queue_depth": -1}"#).unwrap_err();
//! assert_eq!(refused.to_string(), "queue_depth: -1 is below 0");
//! # Ok::<(), DecodeError>(())
//! ```
//!
//! Payload fields lie flat at the top of the JSON object; what the protocol itself needs sits in the optional object
//! `beat` ([`BeatInfo`]). Unknown fields are ignored and unknown enum words decode to a documented fallback, so that old
//! registries accept new members and the other way round. Times are RFC 3339 and informational: a registry judges ages by
//! its own monotonic clock.

mod ack;
mod batch;
mod beat;
mod decode;
mod directive;
mod event;
mod exit;
mod explanation;
mod field;
mod history;
mod hive;
mod id;
mod kind;
mod metadata;
mod payload;
mod policy;
mod problem;
mod protection;
pub mod routes;
mod source;
mod state;
mod stats;
mod status;
mod time;
mod verification;
mod view;
mod vram;
mod words;
mod worker;

pub use ack::{Ack, BatchAck, BatchAnswer, Rejected};
pub use batch::{Batch, BatchError, MAX_BATCH_BYTES, MAX_BATCH_ITEMS};
pub use beat::{BeatInfo, MAX_INTERVAL, MAX_SAFE_INTEGER, MIN_INTERVAL, Order, Progress};
pub use decode::{DecodeError, FieldError, MAX_BEAT_BYTES, Violations, decode, validate};
pub use directive::{AskedDirective, Directive, DirectiveOutcome, DirectiveRequest};
pub use event::{
    Event, EventBody, EventId, EventsLagged, EventsPage, EventsReset, ForgetReason, InvalidEventId, ProtectionEnd,
};
pub use exit::{Exit, ProcessExit};
pub use explanation::{Explanation, NextChange, NextStep, Rule};
pub use history::{HistoryEntry, HistoryPage};
pub use hive::HiveHeartbeat;
pub use id::{InvalidId, InvalidZone, LogId, MAX_ID_BYTES, MemberId, Zone};
pub use kind::{InvalidKind, Kind};
pub use metadata::{InvalidMetadata, MAX_METADATA_BYTES, Metadata};
pub use payload::Payload;
pub use policy::{Detector, Policy, ResolvedPolicy};
pub use problem::{Problem, ProblemType};
pub use protection::{ProtectionView, ProtectionsPage};
pub use source::FailingSource;
pub use state::{Cause, HealthState};
pub use stats::{
    BeatStats, BlindStats, CanaryState, DetectionStats, DriverStats, EventStats, MemberStats, ProbeStats, SinkKind,
    SinkStats, Stats,
};
pub use status::{HealthStatus, WorkerStatus};
pub use verification::{ProbeOutcome, Verification};
pub use view::{Deadlines, Flag, HoldReason, HoldView, HostFrom, MemberView, MembersPage};
pub use vram::VramInfo;
pub use worker::WorkerHeartbeat;
