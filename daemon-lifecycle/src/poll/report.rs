use std::{collections::VecDeque, fmt, time::Duration};

use crate::{
    probe::{ProbeError, ProbeFailure},
    readable::Readable,
};

/// How many failed attempts are kept as they were.
const KEPT: usize = 10;
/// Words for a name that no attempt could resolve.
const NEVER_RESOLVED: &str = "name never resolved, is it spelt right?";
/// So many attempts may go by before somebody who waits is told: a daemon's name may come up with it.
const NAMELESS: u32 = 3;

/// What a wait that ended without success has seen.
///
/// `Display` is one line such as `http://127.0.0.1:9/health not healthy after 5 attempts in 1.3 s: 4 x connection
/// refused, 1 x status 503; last: status 503 (failed: store)`.
#[derive(Debug)]
pub struct PollReport(Box<Seen>);

#[derive(Debug)]
struct Seen {
    url: String,
    given: String,
    elapsed: Duration,
    outcomes: Vec<(ProbeFailure, u32)>,
    successes: u32,
    recent: VecDeque<PastAttempt>,
    progress: Option<f64>,
    wrong_endpoint_for: Option<Duration>,
}

/// One attempt that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct PastAttempt {
    /// Counts from 1.
    pub number: u32,
    /// When it had failed, from the beginning of the wait.
    pub at: Duration,
    /// How it failed.
    pub error: ProbeError,
}

impl PollReport {
    /// What was polled: the URL without credentials, or the command.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The text from which that was made: [`Probe::given`](crate::Probe::given).
    #[must_use]
    pub fn given(&self) -> &str {
        &self.0.given
    }

    /// Attempts that came to an end; one cut off by the death of the child does not count.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.outcomes.iter().map(|(_, count)| count).sum::<u32>() + self.0.successes
    }

    /// From the first attempt to the end of the wait.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How often each kind of failure was seen, in the order of first appearance.
    #[must_use]
    pub fn outcomes(&self) -> &[(ProbeFailure, u32)] {
        &self.0.outcomes
    }

    /// Attempts that found the daemon healthy, but not often or long enough in a row.
    #[must_use]
    pub fn successes(&self) -> u32 {
        self.0.successes
    }

    /// The last failed attempts, at most 10, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &PastAttempt> {
        self.0.recent.iter()
    }

    /// The last failed attempt; `None` when the wait ended before the first one did.
    #[must_use]
    pub fn last(&self) -> Option<&ProbeError> {
        self.0.recent.back().map(|attempt| &attempt.error)
    }

    /// The share of its start-up that the daemon last said it had done, from 0 to 1.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        self.0.progress
    }

    /// For how long nothing but a 404 or a certificate for another name had come, if the wait was given up for that.
    #[must_use]
    pub fn wrong_endpoint_for(&self) -> Option<Duration> {
        self.0.wrong_endpoint_for
    }

    /// What might be amiss with the question rather than with the daemon.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.0.outcomes[..] {
            [(ProbeFailure::Dns, _)] if self.0.successes == 0 => Some(NEVER_RESOLVED),
            _ => self.last()?.kind().hint(),
        }
    }

    /// Whether these are the words for all that was seen.
    fn is_all(&self, words: &str) -> bool {
        matches!(self.0.outcomes[..], [(kind, _)] if kind.to_string() == words)
    }

    pub(crate) fn new(url: String, given: String) -> Self {
        Self(Box::new(Seen {
            url,
            given,
            elapsed: Duration::ZERO,
            outcomes: Vec::new(),
            successes: 0,
            recent: VecDeque::new(),
            progress: None,
            wrong_endpoint_for: None,
        }))
    }

    pub(crate) fn failed(&mut self, at: Duration, error: ProbeError) {
        let kind = error.kind();
        match self.0.outcomes.iter_mut().find(|(seen, _)| *seen == kind) {
            Some((_, count)) => *count += 1,
            None => self.0.outcomes.push((kind, 1)),
        }
        self.0.progress = error.progress().or(self.0.progress);
        if self.0.recent.len() == KEPT {
            self.0.recent.pop_front();
        }
        self.0.recent.push_back(PastAttempt { number: self.attempts(), at, error });
    }

    pub(crate) fn succeeded(&mut self) {
        self.0.successes += 1;
    }

    /// The hint for somebody who is still waiting.
    pub(crate) fn hint_so_far(&self) -> Option<&'static str> {
        match self.0.outcomes[..] {
            [(ProbeFailure::Dns, count)] if count < NAMELESS => None,
            _ => self.hint(),
        }
    }

    pub(crate) fn wrong_endpoint(mut self, lasted: Duration) -> Self {
        self.0.wrong_endpoint_for = Some(lasted);
        self
    }

    pub(crate) fn ended(mut self, elapsed: Duration) -> Self {
        self.0.elapsed = elapsed;
        self
    }
}

impl fmt::Display for PollReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.attempts();
        let plural = if attempts == 1 { "" } else { "s" };
        write!(f, "{} not healthy after {attempts} attempt{plural}", self.0.url)?;
        write!(f, " in {}", Readable(self.0.elapsed))?;
        let mut separator = ": ";
        for (kind, count) in &self.0.outcomes {
            write!(f, "{separator}{count} x {kind}")?;
            separator = ", ";
        }
        if self.0.successes > 0 {
            write!(f, "{separator}{} x healthy", self.0.successes)?;
        }
        if let Some(last) = self.last().map(|last| last.without_url().to_string()).filter(|last| !self.is_all(last)) {
            write!(f, "; last: {last}")?;
        }
        if let Some(progress) = self.0.progress {
            write!(f, "; progress {:.0} %", progress * 100.0)?;
        }
        if let Some(lasted) = self.0.wrong_endpoint_for {
            write!(f, "; nothing else for {}", Readable(lasted))?;
        }
        self.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PollReport, ProbeError, ProbeFailure};

    const URL: &str = "http://127.0.0.1:9/health";

    fn report(failures: &[ProbeFailure]) -> PollReport {
        let mut report = PollReport::new(URL.to_owned(), URL.to_owned());
        for (second, kind) in (1..).zip(failures) {
            report.failed(Duration::from_secs(second), ProbeError::new(&URL, *kind));
        }
        report
    }

    #[test]
    fn a_report_names_target_time_attempts_kinds_and_the_last_detail() {
        let mut report = report(&[ProbeFailure::Refused; 4]);
        let status = ProbeError::new(&URL, ProbeFailure::Status(503));
        report.failed(Duration::from_secs(5), status.with_detail("failed: store".to_owned()));
        let report = report.ended(Duration::from_millis(1_280));
        assert_eq!(
            report.to_string(),
            "http://127.0.0.1:9/health not healthy after 5 attempts in 1.3 s: \
             4 x connection refused, 1 x status 503; last: status 503 (failed: store)"
        );
        assert_eq!(report.attempts(), 5);
    }

    #[test]
    fn the_last_failure_is_not_told_again_where_it_is_like_all_and_had_nothing_to_add() {
        let all = "http://127.0.0.1:9/health not healthy after 2 attempts in 3 ms: 2 x connection refused";
        assert_eq!(report(&[ProbeFailure::Refused; 2]).ended(Duration::from_millis(3)).to_string(), all);
        let mut report = report(&[ProbeFailure::Status(503)]);
        let status = ProbeError::new(&URL, ProbeFailure::Status(503));
        report.failed(Duration::from_secs(5), status.with_detail("loading".to_owned()));
        assert!(report.to_string().ends_with(": 2 x status 503; last: status 503 (loading)"), "{report}");
    }

    #[test]
    fn a_wait_that_ended_at_once_has_a_report_too() {
        let report = report(&[]).ended(Duration::from_millis(3));
        assert_eq!(report.to_string(), "http://127.0.0.1:9/health not healthy after 0 attempts in 3 ms");
    }

    #[test]
    fn the_last_attempts_are_kept_with_their_numbers_and_times() {
        let report = report(&[ProbeFailure::Refused; 25]);
        let kept: Vec<(u32, u64)> = report.recent().map(|past| (past.number, past.at.as_secs())).collect();
        assert_eq!(kept, (16..=25).map(|n| (n, u64::from(n))).collect::<Vec<_>>());
        assert_eq!(report.outcomes(), [(ProbeFailure::Refused, 25)]);
    }

    #[test]
    fn a_name_that_never_resolved_is_told_after_3_attempts_and_in_the_end() {
        let never = "name never resolved";
        let dns = |count| report(&vec![ProbeFailure::Dns; count]);
        assert_eq!(dns(2).hint_so_far(), None);
        assert!(dns(3).hint_so_far().is_some_and(|hint| hint.starts_with(never)));
        for count in [1, 5] {
            assert!(dns(count).to_string().contains(never), "{}", dns(count));
        }
        let came_up = report(&[ProbeFailure::Dns, ProbeFailure::Dns, ProbeFailure::Dns, ProbeFailure::Refused]);
        assert!(!came_up.to_string().contains(never), "{came_up}");
    }

    #[test]
    fn answers_of_a_wrong_endpoint_come_with_a_hint() {
        for kind in [401, 403, 404].map(ProbeFailure::Status).into_iter().chain([ProbeFailure::Redirect(302)]) {
            let report = report(&[kind]);
            assert!(report.to_string().contains("wrong endpoint"), "{report}");
        }
        assert_eq!(report(&[ProbeFailure::Status(503)]).hint(), None);
    }

    #[test]
    fn progress_and_successes_that_were_not_enough_are_told() {
        let mut report = report(&[ProbeFailure::Refused]);
        report.succeeded();
        let warming = ProbeError::new(&URL, ProbeFailure::Status(503)).with_progress(Some(0.634));
        report.failed(Duration::from_secs(9), warming);
        let message = report.to_string();
        assert!(message.contains("after 3 attempts"), "{message}");
        assert!(message.contains("1 x healthy; last: status 503; progress 63 %"), "{message}");
    }
}
