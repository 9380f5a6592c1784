use std::{fmt, sync::Arc, time::Duration};

use super::{delays::Delays, error::ConfigError, pacing::Pacing};
use crate::probe::{DEFAULT_TIMEOUT, ProbeError, Target, shown};

/// What to poll, how often, and how patiently: the four settings every wait has.
///
/// The attempts are `initial_delay_ms * backoff_multiplier^n` apart. [`HealthPoll`] takes one of these and has the
/// settings that most callers leave alone.
///
/// # Examples
///
/// ```
/// use daemon_lifecycle::HealthPollConfig;
///
/// let config = HealthPollConfig {
///     url: "http://127.0.0.1:8500".to_owned(),
///     max_attempts: 20,
///     ..HealthPollConfig::default()
/// };
/// ```
#[derive(Clone, PartialEq)]
pub struct HealthPollConfig {
    /// Absolute `http://` URL, or `https://` with feature `rustls`. Without a path it means `/health`. There is no
    /// default: the empty string that `Default` puts here is refused.
    pub url: String,
    /// Probes before giving up, at least 1. The default of 30 gives a daemon about three minutes.
    pub max_attempts: u32,
    /// Milliseconds between the first and the second attempt; the default is 100. With 0 all attempts follow each
    /// other without a pause.
    pub initial_delay_ms: u64,
    /// Factor from one delay to the next, finite and at least 1; the default is 1.5. With 1 the delay is constant.
    pub backoff_multiplier: f64,
}

impl Default for HealthPollConfig {
    fn default() -> Self {
        Self { url: String::new(), max_attempts: 30, initial_delay_ms: 100, backoff_multiplier: 1.5 }
    }
}

impl fmt::Debug for HealthPollConfig {
    /// Leaves out the credentials in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthPollConfig")
            .field("url", &shown(&self.url))
            .field("max_attempts", &self.max_attempts)
            .field("initial_delay_ms", &self.initial_delay_ms)
            .field("backoff_multiplier", &self.backoff_multiplier)
            .finish()
    }
}

/// A [`HealthPollConfig`] and the rarer settings of a wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use daemon_lifecycle::HealthPoll;
///
/// let poll = HealthPoll::new("http://127.0.0.1:8500/readyz")
///     .deadline(Duration::from_secs(60))
///     .on_failed_attempt(|attempt| eprintln!("attempt {}: {}", attempt.number, attempt.error));
/// assert!(poll.validate().is_ok());
/// ```
#[derive(Debug, Clone)]
#[must_use = "a poll does nothing until it is given to `poll_until_healthy` or `Daemon::wait_until_healthy`"]
pub struct HealthPoll {
    config: HealthPollConfig,
    max_delay: Duration,
    jitter: f64,
    attempt_timeout: Duration,
    deadline: Option<Duration>,
    seed: Option<u64>,
    on_failed_attempt: Option<FailureHook>,
}

impl HealthPoll {
    /// Polls `url` with the defaults of [`HealthPollConfig`].
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        Self::from(HealthPollConfig { url, ..HealthPollConfig::default() })
    }

    /// No delay is longer than this, jitter included. The default is 10 s.
    pub fn max_delay(self, max_delay: Duration) -> Self {
        Self { max_delay, ..self }
    }

    /// Each delay is changed by up to this fraction of itself, either way, so that many waiting processes do not ask
    /// in step. From 0 (none) to 1; the default is 0.1.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// The longest that one attempt may take, above zero. The default is 2 s.
    pub fn attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Self { attempt_timeout, ..self }
    }

    /// The longest that the whole wait may take, above zero; by default only the number of attempts bounds it.
    ///
    /// An attempt under way at the deadline is cut off. The last pause is cut so that one more attempt fits before
    /// the deadline: the attempt timeout or a tenth of the deadline, whichever is less, is kept for it. Once that
    /// one has failed and no further delay fits, the wait ends without sitting out the rest.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Makes the jitter the same in every run.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Calls `hook` after each attempt that failed, before the pause that follows. It must not block.
    pub fn on_failed_attempt(self, hook: impl Fn(&FailedAttempt<'_>) + Send + Sync + 'static) -> Self {
        let hook = FailureHook(Arc::new(hook));
        Self { on_failed_attempt: Some(hook), ..self }
    }

    /// Whether the settings make sense. Every wait checks this first.
    ///
    /// # Errors
    ///
    /// The first setting that is out of its range, or why the URL cannot be polled.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.target().map(drop)
    }

    /// The pauses of a wait that never succeeds and has no deadline. Random unless a [`seed`](Self::seed) is set.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        let pauses = self.config.max_attempts.saturating_sub(1);
        self.series().take(usize::try_from(pauses).unwrap_or(usize::MAX))
    }

    pub(crate) fn target(&self) -> Result<Target, ConfigError> {
        let HealthPollConfig { max_attempts, backoff_multiplier, .. } = self.config;
        if max_attempts == 0 {
            return Err(ConfigError::NoAttempts);
        }
        if !(backoff_multiplier.is_finite() && backoff_multiplier >= 1.0) {
            return Err(ConfigError::Multiplier(backoff_multiplier));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(ConfigError::Jitter(self.jitter));
        }
        if self.attempt_timeout.is_zero() {
            return Err(ConfigError::ZeroAttemptTimeout);
        }
        if self.deadline.is_some_and(|deadline| deadline.is_zero()) {
            return Err(ConfigError::ZeroDeadline);
        }
        Ok(Target::parse(&self.config.url, None)?)
    }

    pub(crate) fn pacing(&self) -> Pacing {
        Pacing {
            max_attempts: self.config.max_attempts,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            delays: self.series(),
        }
    }

    pub(crate) fn tell(&self, attempt: &FailedAttempt<'_>) {
        if let Some(hook) = &self.on_failed_attempt {
            (hook.0)(attempt);
        }
    }

    fn series(&self) -> Delays {
        let initial = Duration::from_millis(self.config.initial_delay_ms);
        let multiplier = self.config.backoff_multiplier;
        Delays::new(initial, multiplier, self.max_delay, self.jitter, self.seed)
    }
}

impl From<HealthPollConfig> for HealthPoll {
    fn from(config: HealthPollConfig) -> Self {
        Self {
            config,
            max_delay: Duration::from_secs(10),
            jitter: 0.1,
            attempt_timeout: DEFAULT_TIMEOUT,
            deadline: None,
            seed: None,
            on_failed_attempt: None,
        }
    }
}

/// One attempt that failed, as told to [`HealthPoll::on_failed_attempt`].
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt<'a> {
    /// Counts from 1.
    pub number: u32,
    /// How it failed.
    pub error: &'a ProbeError,
    /// The pause before the next attempt; `None` when this was the last one.
    pub next_in: Option<Duration>,
}

#[derive(Clone)]
struct FailureHook(Arc<dyn Fn(&FailedAttempt<'_>) + Send + Sync>);

impl fmt::Debug for FailureHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailureHook")
    }
}
