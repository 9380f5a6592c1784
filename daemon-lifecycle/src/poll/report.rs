use std::{fmt, time::Duration};

use crate::{
    probe::{ProbeError, ProbeFailure, Target},
    readable::Readable,
};

/// What a wait that ended without success has seen.
///
/// `Display` is one line such as `http://127.0.0.1:9/health not healthy after 5 attempts in 1.3 s: 4 x connection
/// refused, 1 x status 503; last: status 503 (failed: store)`.
#[derive(Debug)]
pub struct PollReport {
    url: String,
    elapsed: Duration,
    outcomes: Vec<(ProbeFailure, u32)>,
    last: Option<Box<ProbeError>>,
}

impl PollReport {
    /// The URL that was polled, without credentials.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Attempts that came to an end; one cut off by the death of the child does not count.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// From the first attempt to the end of the wait.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How often each kind of failure was seen, in the order of first appearance.
    #[must_use]
    pub fn outcomes(&self) -> &[(ProbeFailure, u32)] {
        &self.outcomes
    }

    /// The last failed attempt; `None` when the wait ended before the first one did.
    #[must_use]
    pub fn last(&self) -> Option<&ProbeError> {
        self.last.as_deref()
    }

    pub(crate) fn new(target: &Target) -> Self {
        Self { url: target.to_string(), elapsed: Duration::ZERO, outcomes: Vec::new(), last: None }
    }

    pub(crate) fn add(&mut self, error: ProbeError) {
        let kind = error.kind();
        match self.outcomes.iter_mut().find(|(seen, _)| *seen == kind) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((kind, 1)),
        }
        self.last = Some(Box::new(error));
    }

    pub(crate) fn ended(self, elapsed: Duration) -> Self {
        Self { elapsed, ..self }
    }
}

impl fmt::Display for PollReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.attempts();
        let plural = if attempts == 1 { "" } else { "s" };
        write!(f, "{} not healthy after {attempts} attempt{plural}", self.url)?;
        write!(f, " in {}", Readable(self.elapsed))?;
        for (index, (kind, count)) in self.outcomes.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            write!(f, "{separator}{count} x {kind}")?;
        }
        match &self.last {
            Some(last) => write!(f, "; last: {}", last.without_url()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PollReport, ProbeError, ProbeFailure, Target};

    fn target() -> Target {
        Target::parse("http://127.0.0.1:9", None).expect("a usable URL")
    }

    #[test]
    fn a_report_names_target_time_attempts_kinds_and_the_last_detail() {
        let target = target();
        let mut report = PollReport::new(&target);
        for _ in 0..4 {
            report.add(ProbeError::new(&target, ProbeFailure::Refused));
        }
        let status = ProbeError::new(&target, ProbeFailure::Status(503));
        report.add(status.with_detail("failed: store".to_owned()));
        let report = report.ended(Duration::from_millis(1_280));
        assert_eq!(
            report.to_string(),
            "http://127.0.0.1:9/health not healthy after 5 attempts in 1.3 s: \
             4 x connection refused, 1 x status 503; last: status 503 (failed: store)"
        );
        assert_eq!(report.attempts(), 5);
    }

    #[test]
    fn a_wait_that_ended_at_once_has_a_report_too() {
        let report = PollReport::new(&target()).ended(Duration::from_millis(3));
        assert_eq!(report.to_string(), "http://127.0.0.1:9/health not healthy after 0 attempts in 3 ms");
    }
}
