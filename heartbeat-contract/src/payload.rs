//! What any kind of heartbeat has in common.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::decode::Violations;
use crate::{BeatInfo, FailingSource, HealthStatus, Kind, MemberId, Metadata, ProcessExit};

/// One kind of heartbeat. Implement it for a type of your own to have a kind of your own.
///
/// ```
/// use heartbeat_contract::{decode, BeatInfo, Kind, MemberId, Payload};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct AgentHeartbeat {
///     agent_id: MemberId,
///     #[serde(default)]
///     beat: Option<BeatInfo>,
///     #[serde(default)]
///     task: Option<String>,
/// }
///
/// impl Payload for AgentHeartbeat {
///     const KIND: Kind = Kind::from_static("agent");
///     const ID_FIELD: &'static str = "agent_id";
///
///     fn id(&self) -> &MemberId {
///         &self.agent_id
///     }
///     fn beat(&self) -> Option<&BeatInfo> {
///         self.beat.as_ref()
///     }
///     fn set_beat(&mut self, beat: BeatInfo) {
///         self.beat = Some(beat);
///     }
/// }
///
/// let agent: AgentHeartbeat = decode(br#"{"agent_id": "a-1", "task": "dig"}"#)?;
/// assert_eq!(agent.id().as_str(), "a-1");
/// # Ok::<(), heartbeat_contract::DecodeError>(())
/// ```
pub trait Payload: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind; its routes are named after it.
    const KIND: Kind;
    /// The JSON field that holds the id.
    const ID_FIELD: &'static str;

    /// Who beats.
    fn id(&self) -> &MemberId;

    /// What the protocol needs, if the member told any of it.
    fn beat(&self) -> Option<&BeatInfo>;

    /// Replaces what the protocol needs: senders stamp each beat with it.
    fn set_beat(&mut self, beat: BeatInfo);

    /// When the sender made this beat, by its own clock.
    fn timestamp(&self) -> Option<Timestamp> {
        None
    }

    /// Replaces the time of making: senders stamp each beat with it.
    fn set_timestamp(&mut self, _at: Timestamp) {}

    /// What the member says it is doing, in a word for people; a sender beats at once when it changes.
    fn status(&self) -> Option<&'static str> {
        None
    }

    /// How the member says it feels; a sender beats at once when it changes.
    fn self_report(&self) -> Option<HealthStatus> {
        None
    }

    /// The last error the member met; a sender beats at once when it changes to another text.
    fn last_error(&self) -> Option<&str> {
        None
    }

    /// Replaces the last error: senders that are asked to tell panics do so. A kind without errors tells none.
    fn set_last_error(&mut self, _error: String) {}

    /// The hive on whose host the member lives.
    fn hive_id(&self) -> Option<&MemberId> {
        self.beat()?.hive_id.as_ref()
    }

    /// Processes of workers that ended on the host of this member, which is their hive.
    fn exited(&self) -> &[ProcessExit] {
        &[]
    }

    /// Where figures of this member come from that are not up to date.
    fn failing_sources(&self) -> &[FailingSource] {
        &[]
    }

    /// Free-form data that rides along.
    fn metadata(&self) -> Option<&Metadata> {
        None
    }

    /// Adds what is wrong with the payload's own fields; [`validate`](crate::validate) checks [`BeatInfo`] beside them.
    fn check(&self, _violations: &mut Violations) {}
}
