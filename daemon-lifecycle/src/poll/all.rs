use std::{error::Error, fmt, future::poll_fn, task::Poll};

use super::{ConfigError, GaveUp, HealthPoll, Healthy, PollError, Wait};

/// Waits for several daemons at once, until every one has been found healthy.
///
/// All begin together, so that the same [`deadline`](HealthPoll::deadline) in each is one for all. The first that gives
/// up ends the wait for the others too. The answers come in the order of the polls. One that was healthy early is not
/// asked again when the last one is.
///
/// # Errors
///
/// [`PollAllError`], with what became of each.
///
/// # Cancel safety
///
/// Dropping the future ends all waits.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use daemon_lifecycle::{HealthPoll, PollAllError, poll_all_until_healthy};
///
/// # async fn start() -> Result<(), PollAllError> {
/// let urls = ["http://127.0.0.1:8500/readyz", "tcp://127.0.0.1:4222"];
/// let minute = Duration::from_secs(60);
/// poll_all_until_healthy(urls.map(|url| HealthPoll::new(url).deadline(minute))).await?;
/// # Ok(())
/// # }
/// ```
pub async fn poll_all_until_healthy<P: Into<HealthPoll>>(
    polls: impl IntoIterator<Item = P>,
) -> Result<Vec<Healthy>, PollAllError> {
    let mut waits = begin(polls.into_iter().map(|poll| Wait::begin(poll.into())).collect())?;
    let ended = run(&mut waits).await;
    let outcomes: Vec<Result<Healthy, PollError>> = waits
        .into_iter()
        .zip(ended)
        .map(|(wait, ended)| match ended {
            Some(Ok(healthy)) => Ok(healthy),
            Some(Err(gave_up)) => Err(wait.error(gave_up)),
            None => Err(PollError::CutShort(wait.into_report())),
        })
        .collect();
    if outcomes.iter().all(Result::is_ok) {
        return Ok(outcomes.into_iter().flatten().collect());
    }
    Err(PollAllError { outcomes })
}

/// All of them or none.
fn begin(begun: Vec<Result<Wait, ConfigError>>) -> Result<Vec<Wait>, PollAllError> {
    if begun.iter().all(Result::is_ok) {
        return Ok(begun.into_iter().flatten().collect());
    }
    let outcomes = begun.into_iter().map(|begun| match begun {
        Ok(wait) => Err(PollError::CutShort(wait.into_report())),
        Err(error) => Err(error.into()),
    });
    Err(PollAllError { outcomes: outcomes.collect() })
}

/// Until all have ended well or one has not. `None` is for those that had not ended by then.
async fn run(waits: &mut [Wait]) -> Vec<Option<Result<Healthy, GaveUp>>> {
    let mut ended: Vec<_> = waits.iter().map(|_| None).collect();
    let mut runs: Vec<_> = waits.iter_mut().map(|wait| Box::pin(wait.run())).collect();
    poll_fn(|context| {
        for (run, ended) in runs.iter_mut().zip(&mut ended) {
            if ended.is_none()
                && let Poll::Ready(outcome) = run.as_mut().poll(context)
            {
                *ended = Some(outcome);
            }
        }
        let failed = ended.iter().any(|ended| matches!(ended, Some(Err(_))));
        if failed || ended.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop(runs);
    ended
}

/// Why a wait for several daemons ended without success.
///
/// `Display` is one line per daemon that was not found healthy.
#[derive(Debug)]
pub struct PollAllError {
    outcomes: Vec<Result<Healthy, PollError>>,
}

impl PollAllError {
    /// What became of each, in the order of the polls: at least one error that ended the wait, and
    /// [`PollError::CutShort`] for those that were still waited for.
    pub fn outcomes(&self) -> &[Result<Healthy, PollError>] {
        &self.outcomes
    }

    /// As [`outcomes`](Self::outcomes), to keep.
    pub fn into_outcomes(self) -> Vec<Result<Healthy, PollError>> {
        self.outcomes
    }
}

impl fmt::Display for PollAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        for (index, error) in errors.enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl Error for PollAllError {}
