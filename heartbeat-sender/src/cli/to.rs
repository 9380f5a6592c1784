//! From arguments to a config.

use heartbeat_contract::Payload;

use super::args::{Place, To};
use super::{FAILED, Failed, USAGE};
use crate::{ConfigError, HeartbeatConfig, HttpTransport};

impl To {
    pub(super) fn apply<P: Payload>(&self, config: &mut HeartbeatConfig<P>) {
        config.registry_url = self.registry.first().cloned();
        config.further_registry_urls = self.registry.iter().skip(1).cloned().collect();
        config.bearer_token_file.clone_from(&self.token_file);
    }

    /// Says before anything is started what could not be started, the file with the token included.
    pub(super) fn transport<P: Payload>(&self, config: &HeartbeatConfig<P>) -> Result<HttpTransport, Failed> {
        config.validate().map_err(|error| unusable(&error))?;
        HttpTransport::for_config(config).map_err(|error| unusable(&error))
    }
}

impl Place {
    pub(super) fn apply<P: Payload>(&self, config: &mut HeartbeatConfig<P>) {
        config.zone.clone_from(&self.zone);
        config.endpoint.clone_from(&self.endpoint);
    }
}

/// Settings that make no sense are the user's to mend; what the system refuses is not.
pub(super) fn unusable(error: &ConfigError) -> Failed {
    Failed::new(error, if matches!(error, ConfigError::System(_)) { FAILED } else { USAGE })
}
