//! Asking a registry elsewhere to probe a member.

use std::time::Duration;

use heartbeat_contract::{Kind, MemberId, Verification, routes};
use reqwest::Method;

use super::{Client, ClientError, decoded, read};

/// Longer than a registry may take for a probe.
const TIMEOUT: Duration = Duration::from_secs(40);

impl Client {
    /// Has the registry probe a member's endpoint once, and waits for what it finds. That nobody answers there is a
    /// finding, too.
    ///
    /// # Errors
    /// If the member is not known ([`ClientError::is_not_found`]), the registry did not probe it (status 403: its endpoint
    /// is where it may not be; 409: it said goodbye; 422: it tells no endpoint; 429: too many probes are under way), or
    /// the registry cannot be reached or refuses.
    #[doc(alias = "verify_worker_health")]
    pub async fn verify(&self, kind: &Kind, id: &MemberId) -> Result<Verification, ClientError> {
        let url = self.url(&routes::verify(kind, id), &[]);
        let answer = read(self.request(Method::POST, &url).timeout(TIMEOUT)).await;
        answer.and_then(|body| decoded(&body)).map_err(|failure| ClientError::new(&url, failure))
    }
}
