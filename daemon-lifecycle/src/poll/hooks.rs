use std::{fmt, sync::Arc, time::Duration};

use super::Healthy;
use crate::probe::{ProbeError, ProbeFailure};

/// One attempt that failed, as told to [`HealthPoll::on_failed_attempt`](super::HealthPoll::on_failed_attempt).
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt<'a> {
    /// Counts from 1.
    pub number: u32,
    /// How it failed.
    pub error: &'a ProbeError,
    /// The pause before the next attempt; `None` when this was the last one.
    pub next_in: Option<Duration>,
    /// What might be amiss with the question rather than with the daemon; a name that does not resolve is told from the
    /// third attempt on.
    pub hint: Option<&'static str>,
}

type IsFatal = dyn Fn(ProbeFailure) -> bool + Send + Sync;
type OnFailedAttempt = dyn Fn(&FailedAttempt<'_>) + Send + Sync;
type OnHealthy = dyn Fn(&Healthy) + Send + Sync;

/// What the caller of a wait has a say in, or wants to hear of.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    fatal: Option<Arc<IsFatal>>,
    failed: Option<Arc<OnFailedAttempt>>,
    healthy: Option<Arc<OnHealthy>>,
}

impl Hooks {
    pub(super) fn fatal_on(&mut self, fatal: impl Fn(ProbeFailure) -> bool + Send + Sync + 'static) {
        self.fatal = Some(Arc::new(fatal));
    }

    pub(super) fn on_failed_attempt(&mut self, hook: impl Fn(&FailedAttempt<'_>) + Send + Sync + 'static) {
        self.failed = Some(Arc::new(hook));
    }

    pub(super) fn on_healthy(&mut self, hook: impl Fn(&Healthy) + Send + Sync + 'static) {
        self.healthy = Some(Arc::new(hook));
    }

    pub(super) fn is_fatal(&self, failure: ProbeFailure) -> bool {
        match &self.fatal {
            Some(fatal) => fatal(failure),
            None => failure == ProbeFailure::CannotRun,
        }
    }

    pub(super) fn tell(&self, attempt: &FailedAttempt<'_>) {
        if let Some(hook) = &self.failed {
            hook(attempt);
        }
    }

    pub(super) fn tell_healthy(&self, healthy: &Healthy) {
        if let Some(hook) = &self.healthy {
            hook(healthy);
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("fatal_on", &self.fatal.is_some())
            .field("on_failed_attempt", &self.failed.is_some())
            .field("on_healthy", &self.healthy.is_some())
            .finish()
    }
}
