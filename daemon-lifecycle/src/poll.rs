//! Asking again and again until a daemon is healthy, once, at its start.

mod all;
mod config;
mod error;
mod hooks;
mod pacing;
mod report;
mod streak;
mod wrong_endpoint;

use std::time::Duration;

pub use self::{
    all::{PollAllError, poll_all_until_healthy},
    config::{HealthPoll, HealthPollConfig},
    error::{ConfigError, PollError},
    hooks::FailedAttempt,
    report::{PastAttempt, PollReport},
};
use self::{
    pacing::{Next, Pacing, Said},
    streak::Streak,
    wrong_endpoint::WrongEndpoint,
};
use crate::{
    clock::Stopwatch,
    probe::{Answer, Probe, ProbeError},
};

/// A daemon that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Healthy {
    /// What was polled: the URL without credentials, or the command.
    pub url: String,
    /// The text from which that was made: [`Probe::given`].
    pub given: String,
    /// Attempts made, the successful ones included.
    pub attempts: u32,
    /// From the first attempt to the answer.
    pub elapsed: Duration,
    /// The answer.
    pub answer: Answer,
}

/// Waits until the daemon at a URL is healthy, asking in exponentially growing intervals.
///
/// Meant for a start, once: a fleet that is up is watched by its heartbeats, not by polling.
///
/// The first attempt is made at once. Takes a [`HealthPollConfig`], or a [`HealthPoll`] where more is to be set. What
/// one attempt is, and what can be asked, [`Probe`] says. Every failure is retried, since a daemon on its way up may
/// refuse, hang, answer 404 or not be in the DNS yet. Final are an invalid configuration, what [`HealthPoll::fatal_on`]
/// says, and the answers of a wrong endpoint, a 404 or a certificate for another name, once nothing else has come for 30 s
/// ([`HealthPoll::wrong_endpoint_timeout`]).
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
    probe: Probe,
    pacing: Pacing,
    streak: Streak,
    wrong_endpoint: WrongEndpoint,
    report: PollReport,
    since: Stopwatch,
}

/// Why [`Wait::run`] made no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GaveUp {
    AttemptsExhausted,
    DeadlineExceeded(Duration),
    Fatal,
    /// That long.
    WrongEndpoint(Duration),
}

impl Wait {
    pub(crate) fn begin(poll: HealthPoll) -> Result<Self, ConfigError> {
        if poll.expects_child() {
            return Err(ConfigError::NoChild);
        }
        let probe = poll.probe()?;
        Ok(Self::of(poll, probe))
    }

    /// A wait for a child, which is the one that `child` accepts.
    #[cfg(all(feature = "daemon", unix))]
    pub(crate) fn begin_for_child(poll: HealthPoll, child: crate::probe::ExpectedPid) -> Result<Self, ConfigError> {
        let probe = poll.probe()?;
        let probe = if poll.expects_child() { probe.expecting(child) } else { probe };
        Ok(Self::of(poll, probe))
    }

    fn of(poll: HealthPoll, probe: Probe) -> Self {
        Self {
            pacing: poll.pacing(),
            streak: poll.streak(),
            wrong_endpoint: poll.wrong_endpoint(),
            report: PollReport::new(probe.url(), probe.given().to_owned()),
            since: Stopwatch::start(),
            poll,
            probe,
        }
    }

    pub(crate) async fn run(&mut self) -> Result<Healthy, GaveUp> {
        let probe = self.probe.clone();
        self.run_with(|timeout| {
            let probe = probe.clone();
            async move { probe.ask_within(timeout).await }
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
            GaveUp::Fatal => PollError::Fatal(report),
            GaveUp::WrongEndpoint(lasted) => PollError::Fatal(report.wrong_endpoint(lasted)),
        }
    }

    async fn run_with<F>(&mut self, mut ask: impl FnMut(Duration) -> F) -> Result<Healthy, GaveUp>
    where
        F: Future<Output = Result<Answer, ProbeError>>,
    {
        loop {
            let timeout = self.pacing.attempt_timeout(self.since.elapsed())?;
            let next = match ask(timeout).await {
                Ok(answer) => match self.succeeded(answer) {
                    Ok(healthy) => return Ok(healthy),
                    Err(next) => next,
                },
                Err(error) => self.failed(error),
            };
            match next {
                Next::AttemptIn(delay) => tokio::time::sleep(delay).await,
                Next::GiveUp(gave_up) => return Err(gave_up),
            }
        }
    }

    /// What follows if that was not success enough.
    fn succeeded(&mut self, answer: Answer) -> Result<Healthy, Next> {
        let elapsed = self.since.elapsed();
        self.report.succeeded();
        self.wrong_endpoint.succeeded();
        if self.streak.succeeded(elapsed, &answer) {
            let healthy = Healthy {
                url: self.probe.url(),
                given: self.probe.given().to_owned(),
                attempts: self.report.attempts(),
                elapsed,
                answer,
            };
            self.poll.hooks().tell_healthy(&healthy);
            return Ok(healthy);
        }
        Err(self.pacing.succeeded(elapsed, self.poll.pause_after_success()))
    }

    fn failed(&mut self, error: ProbeError) -> Next {
        self.streak.broken();
        let elapsed = self.since.elapsed();
        let wrong_for = self.wrong_endpoint.failed(elapsed, error.kind());
        let next = match wrong_for {
            _ if self.poll.hooks().is_fatal(error.kind()) => Next::GiveUp(GaveUp::Fatal),
            Some(lasted) => Next::GiveUp(GaveUp::WrongEndpoint(lasted)),
            None => self.pacing.failed(elapsed, Said::from(&error)),
        };
        let next_in = match next {
            Next::AttemptIn(delay) => Some(delay),
            Next::GiveUp(_) => None,
        };
        self.report.failed(elapsed, error);
        if let Some(past) = self.report.recent().next_back() {
            let hint = self.report.hint_so_far();
            self.poll.hooks().tell(&FailedAttempt { number: past.number, error: &past.error, next_in, hint });
        }
        next
    }
}

#[cfg(test)]
mod tests;
