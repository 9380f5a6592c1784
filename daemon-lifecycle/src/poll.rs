//! Asking again and again until a daemon is healthy, once, at its start.

mod config;
mod delays;
mod error;
mod pacing;
mod report;

use std::time::Duration;

#[cfg(all(feature = "daemon", unix))]
pub(crate) use self::delays::Delays;
use self::pacing::{Next, Pacing};
pub use self::{
    config::{FailedAttempt, HealthPoll, HealthPollConfig},
    error::{ConfigError, PollError},
    report::PollReport,
};
use crate::{
    clock::Stopwatch,
    probe::{ProbeError, Target, probe},
};

/// A daemon that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Healthy {
    /// The URL that was polled, without credentials.
    pub url: String,
    /// Attempts made, the successful one included.
    pub attempts: u32,
    /// From the first attempt to the answer.
    pub elapsed: Duration,
}

/// Waits until the daemon at a URL answers with 2xx, asking in exponentially growing intervals.
///
/// Meant for a start, once: a fleet that is up is watched by its heartbeats, not by polling.
///
/// The first attempt is made at once. Takes a [`HealthPollConfig`], or a [`HealthPoll`] where more is to be set. What
/// one attempt is, [`is_daemon_healthy`](crate::is_daemon_healthy) says. Every failure is retried, since a daemon on
/// its way up may refuse, hang, answer 404 or not be in the DNS yet; only an invalid configuration is final.
///
/// To wait for a child process, use `Daemon::wait_until_healthy`, which ends as soon as the child does.
///
/// # Errors
///
/// [`PollError`], one variant per way to end, with a report of what was seen.
///
/// # Cancel safety
///
/// Dropping the future ends the wait and closes the connection of an attempt under way.
///
/// # Examples
///
/// ```no_run
/// use daemon_lifecycle::{HealthPollConfig, PollError, poll_until_healthy};
///
/// # async fn start() -> Result<(), PollError> {
/// let healthy = poll_until_healthy(HealthPollConfig {
///     url: "http://127.0.0.1:8500".to_owned(),
///     max_attempts: 30,
///     initial_delay_ms: 100,
///     backoff_multiplier: 1.5,
/// })
/// .await?;
/// println!("up after {:?}", healthy.elapsed);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "wait_for_daemon_ready")]
pub async fn poll_until_healthy(poll: impl Into<HealthPoll>) -> Result<Healthy, PollError> {
    let mut wait = Wait::begin(poll.into())?;
    match wait.run().await {
        Ok(healthy) => Ok(healthy),
        Err(gave_up) => Err(wait.error(gave_up)),
    }
}

/// One wait under way. Whoever cuts `run` short still has what was seen so far.
#[derive(Debug)]
pub(crate) struct Wait {
    poll: HealthPoll,
    target: Target,
    pacing: Pacing,
    report: PollReport,
    since: Stopwatch,
}

/// Why [`Wait::run`] made no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GaveUp {
    AttemptsExhausted,
    DeadlineExceeded(Duration),
}

impl Wait {
    pub(crate) fn begin(poll: HealthPoll) -> Result<Self, ConfigError> {
        let target = poll.target()?;
        Ok(Self { pacing: poll.pacing(), report: PollReport::new(&target), since: Stopwatch::start(), poll, target })
    }

    pub(crate) async fn run(&mut self) -> Result<Healthy, GaveUp> {
        let target = self.target.clone();
        self.run_with(|timeout| {
            let target = target.clone();
            async move { probe(&target, timeout).await }
        })
        .await
    }

    pub(crate) fn into_report(self) -> PollReport {
        let elapsed = self.since.elapsed();
        self.report.ended(elapsed)
    }

    pub(crate) fn error(self, gave_up: GaveUp) -> PollError {
        let report = self.into_report();
        match gave_up {
            GaveUp::AttemptsExhausted => PollError::AttemptsExhausted(report),
            GaveUp::DeadlineExceeded(deadline) => PollError::DeadlineExceeded { deadline, report },
        }
    }

    async fn run_with<F>(&mut self, mut probe: impl FnMut(Duration) -> F) -> Result<Healthy, GaveUp>
    where
        F: Future<Output = Result<(), ProbeError>>,
    {
        let mut attempts = 0;
        loop {
            let timeout = self.pacing.attempt_timeout(self.since.elapsed())?;
            attempts += 1;
            let Err(error) = probe(timeout).await else {
                let elapsed = self.since.elapsed();
                return Ok(Healthy { url: self.target.to_string(), attempts, elapsed });
            };
            match self.failed(attempts, error) {
                Next::AttemptIn(delay) => tokio::time::sleep(delay).await,
                Next::AttemptsExhausted => return Err(GaveUp::AttemptsExhausted),
                Next::DeadlineExceeded(deadline) => return Err(GaveUp::DeadlineExceeded(deadline)),
            }
        }
    }

    fn failed(&mut self, number: u32, error: ProbeError) -> Next {
        let next = self.pacing.next(number, self.since.elapsed());
        let next_in = match next {
            Next::AttemptIn(delay) => Some(delay),
            Next::AttemptsExhausted | Next::DeadlineExceeded(_) => None,
        };
        self.poll.tell(&FailedAttempt { number, error: &error, next_in });
        self.report.add(error);
        next
    }
}

#[cfg(test)]
mod tests;
