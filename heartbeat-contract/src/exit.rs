//! Processes that ended: as the hive of their host saw it, or as whoever waited for them tells it.

use serde::{Deserialize, Serialize};

use crate::decode::Violations;
use crate::{MAX_SAFE_INTEGER, MemberId, field};

/// How many exits one beat may tell of.
pub(crate) const MAX_EXITS: usize = 256;

/// The process of a worker that ended. Told with each beat of the hive for a while, since beats get lost; it explains why
/// the worker is silent, and by itself fails nobody. Tell which run ended, or how long ago: what tells neither is believed of
/// whichever run is silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessExit {
    /// Whose process it was.
    pub worker_id: MemberId,
    /// The run that ended, if the hive knows it.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// Its process id, if the hive knows it.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How long ago it ended, in milliseconds, if the hive knows that.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// The status it exited with; absent if a signal ended it, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl ProcessExit {
    /// Of a worker, of which nothing more is known.
    #[must_use]
    pub fn new(worker_id: MemberId) -> Self {
        Self { worker_id, incarnation: None, pid: None, age_ms: None, exit_code: None, signal: None }
    }

    pub(crate) fn check_all(exits: &[Self], violations: &mut Violations) {
        if exits.len() > MAX_EXITS {
            violations.add("/exited", format_args!("{} exits are more than {MAX_EXITS}", exits.len()));
        }
        for (i, exit) in exits.iter().enumerate() {
            violations.at_most(format_args!("/exited/{i}/incarnation"), exit.incarnation, MAX_SAFE_INTEGER);
        }
    }
}

impl std::fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Exit { pid: self.pid, exit_code: self.exit_code, signal: self.signal }.fmt(f)
    }
}

/// How a member's process ended, told in the last beat of its run by whoever waited for it, such as a wrapper. No goodbye:
/// nobody asked for that end. The member is critical at once, and fails by its silence like any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its process id.
    #[serde(default, deserialize_with = "field::whole_opt", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The status it exited with; absent if a signal ended it, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid} ")?,
            None => f.write_str("its process ")?,
        }
        match (self.signal, self.exit_code) {
            (Some(signal), _) => write!(f, "was ended by signal {signal}"),
            (None, Some(code)) => write!(f, "exited with status {code}"),
            (None, None) => f.write_str("is gone"),
        }
    }
}
