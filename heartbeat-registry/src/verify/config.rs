use std::time::Duration;

use super::network::Network;
use crate::config::ConfigError;

/// How a [`Verifier`](super::Verifier) probes.
#[derive(Clone, Debug)]
pub struct VerifyConfig {
    /// How long one probe may take as a whole: 1 ms to 30 s, default 5 s. Less is soon less than a busy member needs.
    pub timeout: Duration,
    /// For how long a finding is told again instead of probing anew, by the fleet's clock: at most 1 h, default 5 s. It is
    /// forgotten at once when the member restarts or tells another endpoint. Zero: every call probes, unless a probe is
    /// under way.
    pub cool_down: Duration,
    /// How many probes are under way at most: 1 to 10,000, default 16. Beyond it, [`verify`](super::Verifier::verify)
    /// refuses at once: an answer that has queued is late for routing.
    pub at_once: usize,
    /// Whether an endpoint may be at the address that the beats of its member come from; default true. Say no where beats
    /// come through a proxy: they all come from its address then, and whoever beats could have anything there probed, on
    /// the proxy's own machine all of loopback.
    pub allow_own_address: bool,
    /// Where else endpoints may be; default nowhere. Loopback
    /// and link-local addresses need a network of their own, such as `127.0.0.0/8`: none that is wider holds them.
    pub allowed_networks: Vec<Network>,
}

impl Default for VerifyConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            cool_down: Duration::from_secs(5),
            at_once: 16,
            allow_own_address: true,
            allowed_networks: Vec::new(),
        }
    }
}

impl VerifyConfig {
    /// The longest a probe may take.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

    /// Checks every limit.
    ///
    /// # Errors
    /// The first setting that is outside its limits.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let millis = |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        within("timeout (ms)", millis(self.timeout), 1, millis(Self::MAX_TIMEOUT))?;
        within("cool_down (ms)", millis(self.cool_down), 0, 60 * 60 * 1000)?;
        within("at_once", self.at_once, 1, 10_000)
    }
}

fn within(setting: &'static str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { setting, value, min, max }) }
}
