use std::{fmt, time::Duration};

use super::{
    FailedAttempt, Healthy,
    error::ConfigError,
    hooks::Hooks,
    pacing::{Pacing, Patience},
    streak::Streak,
    wrong_endpoint::WrongEndpoint,
};
use crate::{
    delays::Delays,
    probe::{DEFAULT_TIMEOUT, Probe, ProbeFailure, shown},
};

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
    /// One of the forms that [`Probe`] knows, such as `http://127.0.0.1:8500`, which means `/health` there. There is no
    /// default: the empty string that `Default` puts here is refused.
    pub url: String,
    /// Failed probes before giving up, at least 1. The default of 30 gives a daemon 106 s on average, and as much less or
    /// more as [`HealthPoll::jitter`] says.
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

/// A [`HealthPollConfig`] and the rarer settings of a wait. What one attempt asks, and of whom, is a [`Probe`]'s to say:
/// a poll can be made of one.
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
    probe: Option<Probe>,
    max_delay: Duration,
    jitter: f64,
    attempt_timeout: Duration,
    deadline: Option<Duration>,
    stall_timeout: Option<Duration>,
    success_threshold: u32,
    min_uptime: Duration,
    from_child: bool,
    wrong_endpoint_timeout: Option<Duration>,
    seed: Option<u64>,
    hooks: Hooks,
}

impl HealthPoll {
    /// Polls `url` with the defaults of [`HealthPollConfig`].
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        Self::from(HealthPollConfig { url, ..HealthPollConfig::default() })
    }

    /// Failed probes before giving up, at least 1; the default is 30.
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.config.max_attempts = max_attempts;
        self
    }

    /// The first delay, in whole milliseconds, and the factor from one to the next: as in [`HealthPollConfig`].
    pub fn backoff(mut self, initial_delay: Duration, multiplier: f64) -> Self {
        self.config.initial_delay_ms = u64::try_from(initial_delay.as_millis()).unwrap_or(u64::MAX);
        self.config.backoff_multiplier = multiplier;
        self
    }

    /// No delay is longer than this, jitter included; the default is 10 s.
    ///
    /// Only a `Retry-After` of a 429 or 503 is obeyed beyond it, up to 60 s: it takes the place of the next delay, be it
    /// sooner or later, but no sooner than the initial delay.
    pub fn max_delay(self, max_delay: Duration) -> Self {
        Self { max_delay, ..self }
    }

    /// Each delay is changed by up to this fraction of itself, either way, so that many processes that began to wait
    /// together do not ask in step. From 0 (none) to 1, the default, which is full jitter: a delay is drawn evenly from
    /// nothing to twice its value in the series, which is thus its mean, or to `max_delay` where that is less.
    ///
    /// At the cap a delay is then half as long on average. So the 30 attempts of the default last 106 s on average, and 73 to
    /// 140 s in 99 of 100 cases (without jitter, 196 s); 10 attempts from 200 ms last 15 s on average, and 5 to 25 s. A wait
    /// that only `max_attempts` bounds is as long as chance has it: to be sure of a time, set a
    /// [`deadline`](Self::deadline). What a `Retry-After` asks for is waited for in full, and a tenth longer at most.
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

    /// Lets a daemon that says how far it has got take longer than the deadline: while its progress grows, the wait goes
    /// on until it has stood still for `stall_timeout`. Above zero; without this, progress moves no deadline.
    ///
    /// Progress is the member `progress` of a JSON answer, a share from 0 to 1, as [`Health`](crate::Health) gives it at
    /// `/readyz` and `/startupz`. It grows when it gets further than ever in this wait, by a tenth of a percent at least:
    /// so a wait ends after the deadline and 1,001 stall timeouts at the very latest. An attempt that finds it grown does
    /// not count against `max_attempts`.
    pub fn stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout: Some(stall_timeout), ..self }
    }

    /// So many attempts in a row have to find the daemon healthy, and the same run of it where its answers tell; at least
    /// 1, the default. Between them lies the initial delay.
    pub fn success_threshold(self, success_threshold: u32) -> Self {
        Self { success_threshold, ..self }
    }

    /// The daemon has to be found healthy for so long without interruption. The default is zero.
    pub fn min_uptime(self, min_uptime: Duration) -> Self {
        Self { min_uptime, ..self }
    }

    /// Takes no answer but one of the child's for the child's: its `pid` has to be that of the child or of a process in
    /// the child's group. Otherwise whoever listens on the port may answer, as an older daemon that did not go. For
    /// `Daemon::wait_until_healthy` alone, and for daemons that tell their pid, as [`Health`](crate::Health) does; not for
    /// those in containers, which know themselves by another one.
    pub fn expect_child(self) -> Self {
        Self { from_child: true, ..self }
    }

    /// Ends the wait with [`PollError::Fatal`](crate::PollError::Fatal) at the first failure for which `fatal` says yes.
    ///
    /// By default that is what waiting cannot mend, [`ProbeFailure::CannotRun`]: a daemon on its way up may refuse, hang or
    /// not be in the DNS yet.
    pub fn fatal_on(mut self, fatal: impl Fn(ProbeFailure) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.fatal_on(fatal);
        self
    }

    /// Ends the wait with [`PollError::Fatal`](crate::PollError::Fatal) when for so long, and at least three times in a row,
    /// nothing has come but a 404 or a certificate for another name: the default is 30 s. `None` waits on.
    ///
    /// A daemon on its way up may answer 404 before it has its routes, and an ingress may show a makeshift certificate for
    /// a moment; what lasts is a wrong URL, which no waiting mends.
    pub fn wrong_endpoint_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        Self { wrong_endpoint_timeout: timeout.into(), ..self }
    }

    /// Makes the jitter the same in every run.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Calls `hook` after each attempt that failed, before the pause that follows. It must not block.
    pub fn on_failed_attempt(mut self, hook: impl Fn(&FailedAttempt<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.on_failed_attempt(hook);
        self
    }

    /// Calls `hook` once the daemon has been found healthy for good, before the wait returns. It must not block.
    pub fn on_healthy(mut self, hook: impl Fn(&Healthy) + Send + Sync + 'static) -> Self {
        self.hooks.on_healthy(hook);
        self
    }

    /// Whether the settings make sense. Every wait checks this first.
    ///
    /// # Errors
    ///
    /// The first setting that is out of its range, or why the URL cannot be polled.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.probe().map(drop)
    }

    /// The pauses of a wait that never succeeds and has no deadline. Random unless a [`seed`](Self::seed) is set.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        let pauses = self.config.max_attempts.saturating_sub(1);
        self.series().take(usize::try_from(pauses).unwrap_or(usize::MAX))
    }

    /// What each attempt asks, if all settings make sense.
    pub(crate) fn probe(&self) -> Result<Probe, ConfigError> {
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
        if self.stall_timeout.is_some_and(|stall_timeout| stall_timeout.is_zero()) {
            return Err(ConfigError::ZeroStallTimeout);
        }
        if self.success_threshold == 0 {
            return Err(ConfigError::NoSuccesses);
        }
        match &self.probe {
            Some(probe) => Ok(probe.clone()),
            None => Ok(Probe::new(&self.config.url)?),
        }
    }

    pub(crate) fn expects_child(&self) -> bool {
        self.from_child
    }

    pub(crate) fn pacing(&self) -> Pacing {
        let patience = Patience {
            max_attempts: self.config.max_attempts,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            stall_timeout: self.stall_timeout,
            initial_delay: self.initial_delay().min(self.max_delay),
        };
        Pacing::new(patience, self.series())
    }

    pub(crate) fn streak(&self) -> Streak {
        Streak::new(self.success_threshold, self.min_uptime)
    }

    /// Between successes that are not enough yet. A long time of health is not watched any closer than need be.
    pub(crate) fn pause_after_success(&self) -> Duration {
        self.initial_delay().max(self.min_uptime / 20)
    }

    pub(crate) fn wrong_endpoint(&self) -> WrongEndpoint {
        WrongEndpoint::new(self.wrong_endpoint_timeout)
    }

    pub(super) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    fn series(&self) -> Delays {
        let multiplier = self.config.backoff_multiplier;
        Delays::new(self.initial_delay(), multiplier, self.max_delay, self.jitter, self.seed)
    }

    fn initial_delay(&self) -> Duration {
        Duration::from_millis(self.config.initial_delay_ms)
    }
}

impl From<Probe> for HealthPoll {
    /// With the defaults of [`HealthPollConfig`], and the probe's own timeout for each attempt.
    fn from(probe: Probe) -> Self {
        let attempt_timeout = probe.given_timeout();
        Self { probe: Some(probe.clone()), ..Self::new(probe.url()) }.attempt_timeout(attempt_timeout)
    }
}

impl From<HealthPollConfig> for HealthPoll {
    fn from(config: HealthPollConfig) -> Self {
        Self {
            config,
            probe: None,
            max_delay: Duration::from_secs(10),
            jitter: 1.0,
            attempt_timeout: DEFAULT_TIMEOUT,
            deadline: None,
            stall_timeout: None,
            success_threshold: 1,
            min_uptime: Duration::ZERO,
            from_child: false,
            wrong_endpoint_timeout: Some(Duration::from_secs(30)),
            seed: None,
            hooks: Hooks::default(),
        }
    }
}
