use std::{
    ffi::OsString,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clap::{Args as ArgsOf, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use daemon_lifecycle::{FailedAttempt, HealthPoll, HealthPollConfig};

use crate::{duration, report::say};

/// Starts daemons, and waits until they really accept requests.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Wait(Wait),
    #[cfg(all(feature = "daemon", unix))]
    Run(crate::run::Run),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Wait until every URL answers with 2xx, then run a command if one is given.
///
/// Exit codes: 0 all healthy, 2 usage, 124 not in time, 130 interrupted; with a command its own, or 126 if it cannot
/// be run, or 127 if it is not found. Durations are numbers with a unit: 500ms, 1.5s, 2m, 1h.
#[derive(Debug, ArgsOf)]
pub(crate) struct Wait {
    /// What to ask; a URL without a path means /health
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// The longest to wait for all of them
    #[arg(long, env = "HEARTBEAT_WAIT_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    timeout: Duration,
    /// Attempts per URL before giving up [default: as many as fit in the timeout]
    #[arg(long, env = "HEARTBEAT_WAIT_MAX_ATTEMPTS", value_name = "N")]
    max_attempts: Option<u32>,
    /// Delay between the first and the second attempt
    #[arg(long, env = "HEARTBEAT_WAIT_INITIAL_DELAY", value_name = "DURATION", default_value = "100ms", value_parser = duration::parse)]
    initial_delay: Duration,
    /// Factor from one delay to the next, up to 10 s
    #[arg(long, env = "HEARTBEAT_WAIT_MULTIPLIER", value_name = "FACTOR", default_value_t = 1.5)]
    multiplier: f64,
    /// The longest that one attempt may take
    #[arg(long, env = "HEARTBEAT_WAIT_ATTEMPT_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    attempt_timeout: Duration,
    /// How to print the outcome; nothing is printed where a command takes over
    #[arg(long, env = "HEARTBEAT_WAIT_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// What to run in place of this program once all are healthy
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

impl Wait {
    /// One poll per URL.
    pub(crate) fn polls(&self) -> Vec<HealthPoll> {
        self.urls.iter().map(|url| self.poll(url)).collect()
    }

    fn poll(&self, url: &str) -> HealthPoll {
        HealthPoll::from(HealthPollConfig {
            url: url.to_owned(),
            max_attempts: self.max_attempts.unwrap_or(u32::MAX),
            initial_delay_ms: u64::try_from(self.initial_delay.as_millis()).unwrap_or(u64::MAX),
            backoff_multiplier: self.multiplier,
        })
        .attempt_timeout(self.attempt_timeout)
        .deadline(self.timeout)
        .on_failed_attempt(tell_changes())
    }
}

/// A line whenever a URL fails in a way it did not fail the time before.
pub(crate) fn tell_changes() -> impl Fn(&FailedAttempt<'_>) + Send + Sync + 'static {
    let before = Mutex::new(None);
    move |attempt| {
        let kind = Some(attempt.error.kind());
        let before = std::mem::replace(&mut *before.lock().unwrap_or_else(PoisonError::into_inner), kind);
        if before != kind {
            say(format_args!("waiting: {}", attempt.error));
        }
    }
}
