//! What a heartbeat loop is told when it starts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{
    HiveHeartbeat, InvalidId, Kind, MAX_INTERVAL, MIN_INTERVAL, MemberId, Payload, Violations, WorkerHeartbeat, Zone,
};

use crate::shown::without_credentials;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const LONGEST_DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ENDPOINT_BYTES: usize = 256;
pub(crate) const MAX_FURTHER_REGISTRIES: usize = 7;

/// Fills in what only the sending side knows, just before a beat goes out.
pub(crate) type Fill<P> = Box<dyn FnMut(&mut P) + Send>;

/// Makes what fills in beats, when a loop begins.
pub(crate) type Collector<P> = Arc<dyn Fn() -> Fill<P> + Send + Sync>;

/// The config of a worker's heartbeat.
pub type WorkerHeartbeatConfig = HeartbeatConfig<WorkerHeartbeat>;

/// The config of a hive's heartbeat.
pub type HiveHeartbeatConfig = HeartbeatConfig<HiveHeartbeat>;

/// Who beats, where to, how often, and what the first beat says.
///
/// Nothing is checked before [`validate`](Self::validate), which every start function calls.
///
/// ```
/// use std::time::Duration;
/// use heartbeat_contract::WorkerStatus;
/// use heartbeat_sender::WorkerHeartbeatConfig;
///
/// let mut config = WorkerHeartbeatConfig::new("worker-123", "http://localhost:8500")
///     .initially(|worker| worker.status = Some(WorkerStatus::Starting));
/// config.interval = Duration::from_secs(5);
/// config.endpoint = Some("http://10.0.0.7:9001".to_string());
/// assert!(config.validate().is_ok());
///
/// let refused = WorkerHeartbeatConfig::new("worker 123", "http://localhost:8500").validate().unwrap_err();
/// assert_eq!(refused.to_string(), "invalid id");
/// ```
#[derive(Clone)]
pub struct HeartbeatConfig<P: Payload> {
    /// Where the registry is: an absolute `http://` or `https://` URL, which may end in a path under which the registry
    /// is mounted, but has neither query nor fragment; or, on Unix, `unix://` and the absolute path of a socket, such as
    /// `unix:///run/hive/beats.sock`, where a hive takes the beats of its workers. Only the HTTP transport uses it; over
    /// another one it may be `None`.
    pub registry_url: Option<String>,
    /// Where beats go that do not get through to [`registry_url`](Self::registry_url), the preferred place first, at most
    /// 7. A beat that one registry does not take goes to the next at once, and so do those that follow, until that one
    /// fails; about once a minute a beat is also tried with those that are preferred, and they are returned to once they
    /// take one. The registries are expected to know of each other's members: a member is silent to those that it does not
    /// beat to.
    pub further_registry_urls: Vec<String>,
    /// How often to beat: 100 ms to 24 h, default 30 s. A registry with its default policy calls the member failed after
    /// three of these plus an allowance, so choose a third of the silence you can live with.
    pub interval: Duration,
    /// How long to wait for the answer to a beat, above zero and at most the interval. `None`: half the interval, at
    /// most 5 s.
    pub request_timeout: Option<Duration>,
    /// Where the member answers health probes: an absolute HTTP URL of at most 256 bytes. `None` if it does not.
    pub endpoint: Option<String>,
    /// The hive on whose host the member lives; a hive's own id if `None`. Members of one hive are diagnosed together.
    pub hive_id: Option<MemberId>,
    /// The failure domain the member lives in, such as a rack; the registry takes `default` if `None`.
    pub zone: Option<Zone>,
    /// A token to send as `Authorization: Bearer`, to each of the registries; not together with a user name or password in
    /// a registry URL. Only the HTTP transport uses it.
    pub bearer_token: Option<String>,
    /// A file with the token to send, instead of the token itself: what to choose where tokens are replaced while programs
    /// run. Trailing whitespace is no part of the token, which may be at most 64 KiB long. The file is read when the loop is
    /// started, and again whenever a registry answers 401 or 403: if it holds another token by then, the same beat is sent once
    /// more at once. So replace the file, preferably by renaming another over it, before the old token expires. Its
    /// permissions are not looked at; it should be readable for its owner only. Only the HTTP transport uses it.
    pub bearer_token_file: Option<PathBuf>,
    /// What the kind is called in logs, where it has no type of its own.
    pub(crate) kind: Kind,
    payload: Result<P, InvalidId>,
    collector: Option<Collector<P>>,
}

impl WorkerHeartbeatConfig {
    /// A worker that beats every 30 s to the registry at a URL.
    pub fn new(worker_id: impl Into<String>, registry_url: impl Into<String>) -> Self {
        Self::with_payload(MemberId::new(worker_id.into()).map(WorkerHeartbeat::new), Some(registry_url.into()))
    }

    /// A worker that beats every 30 s over a transport that needs no URL.
    pub fn in_process(worker_id: impl Into<String>) -> Self {
        Self::with_payload(MemberId::new(worker_id.into()).map(WorkerHeartbeat::new), None)
    }
}

impl HiveHeartbeatConfig {
    /// A hive that beats every 30 s to the registry at a URL.
    pub fn new(hive_id: impl Into<String>, registry_url: impl Into<String>) -> Self {
        Self::with_payload(MemberId::new(hive_id.into()).map(HiveHeartbeat::new), Some(registry_url.into()))
    }

    /// A hive that beats every 30 s over a transport that needs no URL.
    pub fn in_process(hive_id: impl Into<String>) -> Self {
        Self::with_payload(MemberId::new(hive_id.into()).map(HiveHeartbeat::new), None)
    }

    /// Lets each beat tell the processor, memory, disk, temperature and GPU figures of this host, read every few seconds on
    /// threads of their own. Figures that the hive itself sets are left alone.
    #[cfg(feature = "host-metrics")]
    #[must_use]
    pub fn with_host_metrics(self) -> Self {
        self.with_host_metrics_of(crate::HostMetricsConfig::default())
    }

    /// Lets each beat tell the figures of this host, as [`with_host_metrics`](Self::with_host_metrics), but those that a
    /// config names.
    #[cfg(feature = "host-metrics")]
    #[must_use]
    pub fn with_host_metrics_of(mut self, config: crate::HostMetricsConfig) -> Self {
        self.collector = Some(Arc::new(move || crate::host_metrics::start_filling(&config)));
        self
    }
}

impl<P: Payload> HeartbeatConfig<P> {
    /// A member of any kind that beats every 30 s, first with this payload. Its object `beat` is stamped by the loop.
    ///
    /// Set [`registry_url`](Self::registry_url) to send over HTTP.
    #[must_use]
    pub fn of(payload: P) -> Self {
        Self::with_payload(Ok(payload), None)
    }

    /// Changes what the first beat says.
    #[must_use]
    pub fn initially(mut self, change: impl FnOnce(&mut P)) -> Self {
        if let Ok(payload) = &mut self.payload {
            change(payload);
        }
        self
    }

    /// Checks every limit, including those of the initial payload, but does not read
    /// [`bearer_token_file`](Self::bearer_token_file).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let payload = self.payload.as_ref().map_err(|error| ConfigError::Id(error.clone()))?;
        heartbeat_contract::validate(payload).map_err(ConfigError::Payload)?;
        check_pace(self.interval, self.request_timeout)?;
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint)?;
        }
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            return Err(ConfigError::TwoBearerTokens);
        }
        if self.further_registry_urls.len() > MAX_FURTHER_REGISTRIES {
            return Err(ConfigError::TooManyRegistries(self.further_registry_urls.len()));
        }
        #[cfg(feature = "http")]
        for url in self.registry_url.iter().chain(&self.further_registry_urls) {
            crate::http::check(url, self)?;
        }
        Ok(())
    }

    pub(crate) fn payload(&self) -> Result<P, ConfigError> {
        self.payload.clone().map_err(ConfigError::Id)
    }

    pub(crate) fn collector(&self) -> Option<Collector<P>> {
        self.collector.clone()
    }

    fn with_payload(payload: Result<P, InvalidId>, registry_url: Option<String>) -> Self {
        Self {
            registry_url,
            further_registry_urls: Vec::new(),
            interval: DEFAULT_INTERVAL,
            request_timeout: None,
            endpoint: None,
            hive_id: None,
            zone: None,
            bearer_token: None,
            bearer_token_file: None,
            kind: P::KIND,
            payload,
            collector: None,
        }
    }
}

/// How long to wait for an answer at an interval.
pub(crate) fn timeout_at(interval: Duration, configured: Option<Duration>) -> Duration {
    configured.unwrap_or_else(|| (interval / 2).min(LONGEST_DEFAULT_TIMEOUT))
}

/// Whether an interval, and the timeout that goes with it, are within their limits.
pub(crate) fn check_pace(interval: Duration, request_timeout: Option<Duration>) -> Result<(), ConfigError> {
    if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) {
        return Err(ConfigError::Interval(interval));
    }
    match request_timeout {
        Some(timeout) if timeout.is_zero() || timeout > interval => {
            Err(ConfigError::RequestTimeout { timeout, interval })
        }
        _ => Ok(()),
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), ConfigError> {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let has_host = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
    if has_host && endpoint.len() <= MAX_ENDPOINT_BYTES {
        return Ok(());
    }
    Err(ConfigError::Endpoint(endpoint.to_owned()))
}

impl<P: Payload> fmt::Debug for HeartbeatConfig<P> {
    /// Leaves out the token, the credentials in the registry URL, and the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let further_urls: Vec<_> = self.further_registry_urls.iter().map(|url| without_credentials(url)).collect();
        f.debug_struct("HeartbeatConfig")
            .field("kind", &self.kind)
            .field("id", &self.payload.as_ref().map(Payload::id))
            .field("registry_url", &self.registry_url.as_deref().map(without_credentials))
            .field("further_registry_urls", &further_urls)
            .field("interval", &self.interval)
            .field("request_timeout", &self.request_timeout)
            .field("endpoint", &self.endpoint)
            .field("hive_id", &self.hive_id)
            .field("zone", &self.zone)
            .field("bearer_token_file", &self.bearer_token_file)
            .finish_non_exhaustive()
    }
}

/// Why a heartbeat loop cannot be started. Nothing has been sent or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The id breaks its rules.
    #[error("invalid id")]
    Id(#[source] InvalidId),
    /// The initial payload breaks the contract.
    #[error("invalid initial payload")]
    Payload(#[source] Violations),
    /// The interval is out of range.
    #[error("interval {0:?} is outside 100 ms to 24 h")]
    Interval(Duration),
    /// The request timeout is zero or longer than the interval.
    #[error("request timeout {timeout:?} is not above zero and at most the interval {interval:?}")]
    RequestTimeout {
        /// The timeout that was asked for.
        timeout: Duration,
        /// The interval it has to fit in.
        interval: Duration,
    },
    /// The endpoint is no absolute HTTP URL, or longer than 256 bytes.
    #[error("endpoint {0:?} is no absolute http:// or https:// URL of at most 256 bytes")]
    Endpoint(String),
    /// The transport is HTTP, but there is no registry URL.
    #[error("no registry URL")]
    NoRegistryUrl,
    /// There are more than 7 further registry URLs.
    #[error("{0} further registry URLs are more than 7")]
    TooManyRegistries(usize),
    /// The registry URL cannot be used.
    #[error("registry URL {url:?} {reason}")]
    RegistryUrl {
        /// The URL, without user name and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry URL, here without user name and password, is `https://`, which this build cannot speak.
    #[error("registry URL {0:?} needs the feature `rustls` of heartbeat-sender")]
    HttpsUnsupported(String),
    /// The token has characters that no HTTP header can carry.
    #[error("the bearer token has characters that no HTTP header can carry")]
    BearerToken,
    /// The file for the token cannot be read, or holds no token.
    #[error("cannot take the bearer token from {path:?}")]
    BearerTokenFile {
        /// The file.
        path: PathBuf,
        /// Why; of the kind `InvalidData` if it can be read, but holds no token that an HTTP header can carry.
        source: std::io::Error,
    },
    /// There is more than one token, such as one given and one in a file.
    #[error("there is more than one bearer token, such as one given and one in a file")]
    TwoBearerTokens,
    /// The registry URL holds a user name or password, and there is a bearer token too: a request authorizes once.
    #[error("there is a bearer token, and a user name or password in the registry URL")]
    TwoAuthorizations,
    /// The system refused a thread, a runtime or an HTTP client.
    #[error("cannot start the heartbeat")]
    System(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerHeartbeatConfig {
        WorkerHeartbeatConfig::in_process("worker-123")
    }

    #[test]
    fn the_timeout_is_half_the_interval_and_at_most_five_seconds() {
        assert_eq!(timeout_at(Duration::from_millis(100), None), Duration::from_millis(50));
        assert_eq!(timeout_at(Duration::from_secs(30), None), Duration::from_secs(5));
        assert_eq!(timeout_at(Duration::from_secs(30), Some(Duration::from_secs(9))), Duration::from_secs(9));
    }

    #[test]
    fn every_limit_is_checked_and_names_the_value() {
        let refused = |change: fn(&mut WorkerHeartbeatConfig)| {
            let mut config = worker();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(refused(|c| c.interval = Duration::from_millis(99)), "interval 99ms is outside 100 ms to 24 h");
        assert_eq!(
            refused(|c| c.request_timeout = Some(Duration::from_secs(31))),
            "request timeout 31s is not above zero and at most the interval 30s"
        );
        assert_eq!(
            refused(|c| c.endpoint = Some("localhost:9001".into())),
            "endpoint \"localhost:9001\" is no absolute http:// or https:// URL of at most 256 bytes"
        );
    }

    #[test]
    fn an_initial_payload_outside_the_contract_is_refused() {
        let refused = worker().initially(|worker| worker.gpu_utilization = Some(f64::NAN)).validate();
        assert!(matches!(refused, Err(ConfigError::Payload(_))), "{refused:?}");
    }

    #[test]
    fn neither_the_token_nor_the_password_is_shown() {
        let mut config = WorkerHeartbeatConfig::new("worker-123", "http://me:secret@queen:8500");
        config.bearer_token = Some("secret".into());
        let shown = format!("{config:?}");
        assert!(shown.contains("queen:8500") && !shown.contains("secret"), "{shown}");
    }
}
