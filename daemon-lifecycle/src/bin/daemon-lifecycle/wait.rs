use std::io;

use daemon_lifecycle::{
    HealthPoll, Healthy, PollAllError, PollError, PollReport, ProbeError, ProbeFailure, poll_all_until_healthy,
    program::{
        exit::{AUTH, FAILED, OK, SIGNAL, TIMEOUT, UNREACHABLE, USAGE},
        say, with_causes,
    },
};

use crate::{args::Wait, hand_over, live::Live, report};

pub(crate) type Outcome = Result<Healthy, PollError>;

/// Waits, tells what came out, and makes way for the command if there is one. Returns the exit code.
pub(crate) fn run(wait: &Wait) -> u8 {
    let polls = match wait.polls() {
        Ok(polls) => polls,
        Err(error) => {
            say(format_args!("error: {}", with_causes(&*error)));
            return USAGE;
        }
    };
    let outcomes = match for_all(polls, wait) {
        Ok(Ended::Outcomes(outcomes)) => outcomes,
        Ok(Ended::Interrupted(signal)) => {
            say(format_args!("error: interrupted"));
            return SIGNAL + signal;
        }
        Err(error) => {
            say(format_args!("error: cannot start: {error}"));
            return FAILED;
        }
    };
    report::failures(&outcomes);
    if let Some(code) = failure(&outcomes) {
        report::print(wait.output, &outcomes);
        return code;
    }
    match wait.command.split_first() {
        // Its standard output belongs to the command alone.
        Some((program, args)) => hand_over::to(program, args),
        None => {
            report::print(wait.output, &outcomes);
            OK
        }
    }
}

enum Ended {
    /// In the order of the polls.
    Outcomes(Vec<Outcome>),
    /// By the signal of this number.
    Interrupted(u8),
}

/// Waits for all polls at once, until all have succeeded, one has given up, or a signal says to stop.
fn for_all(polls: Vec<HealthPoll>, wait: &Wait) -> io::Result<Ended> {
    let live = Live::new(polls.len(), wait.timeout);
    let polls = polls.into_iter().enumerate().map(|(index, poll)| live.watch(index, poll));
    let polls: Vec<HealthPoll> = polls.collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            signal = interrupted() => signal.map(Ended::Interrupted),
            outcomes = poll_all_until_healthy(polls) => Ok(Ended::Outcomes(each(outcomes))),
            () = live.redraw() => unreachable!("it is redrawn until all have ended"),
        }
    });
    live.clear();
    // A name lookup may still hang in its own thread.
    runtime.shutdown_background();
    ended
}

fn each(outcomes: Result<Vec<Healthy>, PollAllError>) -> Vec<Outcome> {
    match outcomes {
        Ok(healthy) => healthy.into_iter().map(Ok).collect(),
        Err(error) => error.into_outcomes(),
    }
}

/// The exit code of what failed first, if anything did.
fn failure(outcomes: &[Outcome]) -> Option<u8> {
    let mut errors = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let error = errors.find(|error| !matches!(error, PollError::CutShort(_)))?;
    if matches!(error, PollError::DeadlineExceeded { .. }) {
        return Some(TIMEOUT);
    }
    let last = error.report().and_then(PollReport::last).map(ProbeError::kind);
    Some(match last {
        Some(ProbeFailure::Status(401 | 403)) => AUTH,
        Some(last) if last.is_unreachable() => UNREACHABLE,
        _ => FAILED,
    })
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
