use std::io;

use daemon_lifecycle::{HealthPoll, Healthy, PollError, poll_until_healthy};
use tokio::task::JoinSet;

pub(crate) type Outcome = Result<Healthy, PollError>;

pub(crate) enum Ended {
    /// In the order of the polls.
    Outcomes(Vec<Outcome>),
    /// By the signal of this number.
    Interrupted(u8),
}

/// Waits for all polls at once, until each has succeeded or given up, or a signal says to stop.
pub(crate) fn for_all(polls: Vec<HealthPoll>) -> io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            signal = interrupted() => signal.map(Ended::Interrupted),
            outcomes = all(polls) => Ok(Ended::Outcomes(outcomes)),
        }
    });
    // A name lookup may still hang in its own thread.
    runtime.shutdown_background();
    ended
}

async fn all(polls: Vec<HealthPoll>) -> Vec<Outcome> {
    let mut waits = JoinSet::new();
    for (index, poll) in polls.into_iter().enumerate() {
        waits.spawn(async move { (index, poll_until_healthy(poll).await) });
    }
    let mut outcomes = waits.join_all().await;
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(unix)]
async fn interrupted() -> io::Result<u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok(2),
        _ = terminate.recv() => Ok(15),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<u8> {
    tokio::signal::ctrl_c().await.map(|()| 2)
}
