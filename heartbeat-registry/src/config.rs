//! How a fleet is set up.

use std::time::Duration;

use heartbeat_contract::{Policy, Violations, Zone};

/// How a [`Fleet`](crate::Fleet) is set up.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// How many members are known at most, over all kinds: 1 to 16 million. Beyond it, members that left and then those
    /// that failed longest ago are forgotten to make room; if all are alive, new ones are refused. A member costs about
    /// 1 KiB, what its newest payload holds beyond that, 72 bytes for each beat of its history, and metadata where it
    /// changed.
    pub max_members: usize,
    /// The policy of members that have none of their own.
    pub policy: Policy,
    /// The zone of members that tell none.
    pub zone: Zone,
    /// How many events are kept: 1 to 10 million.
    pub events_kept: usize,
    /// After how long a failed member is forgotten: 1 s to 366 days.
    pub forget_failed_after: Duration,
    /// After how long a member that left is forgotten: 1 s to 366 days.
    pub forget_left_after: Duration,
    /// Makes the layout of the tables and the name of the log repeatable. `None` draws one, so that nobody outside can
    /// choose ids that collide.
    pub seed: Option<u64>,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            max_members: 100_000,
            policy: Policy::default(),
            zone: Zone::default(),
            events_kept: 100_000,
            forget_failed_after: Duration::from_hours(24),
            forget_left_after: Duration::from_mins(10),
            seed: None,
        }
    }
}

/// A setting outside its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The default policy is not valid.
    #[error("the default policy is not valid")]
    Policy(#[source] Violations),
    /// A setting is outside its limits.
    #[error("{setting}: {value} is outside {min} to {max}")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: usize,
        /// The least it may be.
        min: usize,
        /// The most it may be.
        max: usize,
    },
}

impl FleetConfig {
    /// Checks every limit.
    ///
    /// # Errors
    /// The first setting that is outside its limits.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.policy.validate().map_err(ConfigError::Policy)?;
        within("max_members", self.max_members, 16_000_000)?;
        within("events_kept", self.events_kept, 10_000_000)?;
        let seconds = |duration: Duration| usize::try_from(duration.as_secs()).unwrap_or(usize::MAX);
        within("forget_failed_after (s)", seconds(self.forget_failed_after), YEAR)?;
        within("forget_left_after (s)", seconds(self.forget_left_after), YEAR)
    }
}

const YEAR: usize = 366 * 24 * 60 * 60;

fn within(setting: &'static str, value: usize, max: usize) -> Result<(), ConfigError> {
    let min = 1;
    if (min..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { setting, value, min, max }) }
}
