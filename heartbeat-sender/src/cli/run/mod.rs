//! Runs a command, and beats for it.

mod course;
mod end;
mod member;
mod outer;
mod output;
mod pause;
mod request;
mod signals;
mod tail;
mod told;
mod tolerance;

use std::io;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use daemon_lifecycle::{Ending, NextRun, RestartPolicy, Restarts};
use tracing::Level;

use self::course::Course;
use self::end::End;
use self::member::Member;
pub(super) use self::member::{as_id, host_name};
use self::output::Plan;
use self::signals::Signals;
use self::tolerance::Tolerance;
use super::args::RunArgs;
use super::signal::Signal;
use super::{Failed, SIGNAL, WRAPPER, tell};
use crate::clock::monotonic;
use crate::spread::Spread;

const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A run of this length was no crash at start-up.
const STABLE: Duration = Duration::from_secs(60);

/// When to run a command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Restart {
    /// One run is enough.
    Never,
    /// After it failed.
    OnFailure,
    /// However it ended.
    Always,
}

/// When the command is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// As soon as it runs.
    Start,
    /// When it says so.
    Notify,
    /// When a line of its output holds this.
    Line(String),
}

impl FromStr for Ready {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("line=")) {
            ("start", _) => Ok(Self::Start),
            ("notify", _) => Ok(Self::Notify),
            (_, Some(text)) if !text.is_empty() => Ok(Self::Line(text.to_owned())),
            _ => Err("start, notify or line=TEXT is expected".to_owned()),
        }
    }
}

pub(super) fn run(args: &RunArgs) -> Result<u8, Failed> {
    super::log(if args.verbose { Level::INFO } else { Level::ERROR });
    let plan = Plan::of_this_process(!args.no_output);
    if matches!(args.ready, Ready::Line(_)) && plan == Plan::None {
        return Err(Failed::usage("--ready line=TEXT needs output that is read: neither a terminal nor --no-output"));
    }
    let member = Member::of(args)?;
    let wrapper = |error: io::Error| Failed::new(&error, WRAPPER);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(wrapper)?;
    let code = runtime.block_on(keep_running(args, plan, &member));
    runtime.shutdown_background();
    code.map_err(wrapper)
}

/// Runs the command as often as it should be, and returns what to exit with.
async fn keep_running(args: &RunArgs, plan: Plan, member: &Member) -> io::Result<u8> {
    // Before anything is started, so that no signal is lost.
    let signals = &mut Signals::listen()?;
    let mut restarts = restarts(args.restart, args.restart_delay, args.restart_limit);
    let mut tolerance = Tolerance::new(args.tolerate);
    let mut spread = Spread::of(member.id().as_str());
    let since = monotonic();
    loop {
        let began = monotonic();
        restarts.started(began - since);
        let (course, end) = one_run(args, plan, member, signals).await?;
        let now = monotonic();
        let (ran, has_failed) = (now - began, end.goodbye().is_none());
        let ending = if has_failed { Ending::Failure } else { Ending::Clean };
        let next = if end.was_asked_for() { NextRun::Over } else { restarts.ended(ending, ran, now - since) };
        let NextRun::After(after) = next else {
            if let NextRun::GivenUp(crash_loop) = next {
                tell(format_args!("gave up after {crash_loop}: {end}"));
            }
            course.end(&end).await;
            return Ok(end.code());
        };
        let is_passed_over = tolerance.passes_over(ran, has_failed);
        let pause = course.pause(&end, is_passed_over).await;
        // Spread, so that what one fault ended everywhere does not begin everywhere at once.
        let after = after + spread.below(after / 10);
        tracing::warn!(%end, is_passed_over, ?after, "running the command again");
        if let Some(signal) = asked_to_end_within(after, signals).await {
            pause.leave(signal.to_string()).await;
            return Ok(SIGNAL.saturating_add(u8::try_from(signal.number()).unwrap_or(0)));
        }
        pause.make_way().await;
    }
}

/// Pauses from the first on, doubled; one that is longer than the longest stays as it is.
fn restarts(when: Restart, first: Duration, limit: u32) -> Restarts {
    let policy = match when {
        Restart::Never => RestartPolicy::Never,
        Restart::OnFailure => RestartPolicy::OnFailure,
        Restart::Always => RestartPolicy::Always,
    };
    // Spread by the member's id, not by chance.
    let restarts = Restarts::new(policy).backoff(first, LONGEST_DELAY.max(first)).jitter(0.0);
    restarts.stable_after(STABLE).start_limit(None).restart_limit(limit)
}

/// Runs the command once; how it ended is not told yet.
async fn one_run<'a>(
    args: &'a RunArgs,
    plan: Plan,
    member: &Member,
    signals: &mut Signals,
) -> io::Result<(Course<'a>, End)> {
    let (mut course, spawned) = Course::begin(args, plan, member)?;
    let end = match spawned {
        Ok(child) => course.run(child, signals).await?,
        Err(error) => {
            let program = args.command[0].to_string_lossy().into_owned();
            let end = End::NotStarted { program, error };
            tell(format_args!("{end}"));
            end
        }
    };
    Ok((course, end))
}

/// Waits between two runs; returns the signal that asks to end meanwhile, if one does.
async fn asked_to_end_within(pause: Duration, signals: &mut Signals) -> Option<Signal> {
    let asked = async {
        loop {
            let incoming = signals.next().await;
            if incoming.signal.asks_to_end() {
                return incoming.signal;
            }
        }
    };
    tokio::time::timeout(pause, asked).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn fail(restarts: &mut Restarts, ran: Duration) -> NextRun {
        restarts.ended(Ending::Failure, ran, 1_000 * S)
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_run_of_a_minute() {
        let mut by_default = restarts(Restart::OnFailure, S, 10);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60, 60, 60] {
            assert_eq!(fail(&mut by_default, 59 * S), NextRun::After(S * pause));
        }
        assert_eq!(fail(&mut by_default, 59 * S), NextRun::GivenUp(daemon_lifecycle::CrashLoop::InARow(10)));
        assert_eq!(fail(&mut by_default, 60 * S), NextRun::After(S));
    }

    #[test]
    fn a_first_pause_above_a_minute_is_kept_and_not_doubled() {
        let mut patient = restarts(Restart::Always, 3_600 * S, 10);
        assert_eq!([fail(&mut patient, S), fail(&mut patient, S)], [NextRun::After(3_600 * S); 2]);
    }

    #[test]
    fn many_short_runs_are_given_up_by_their_number_alone() {
        let mut eager = restarts(Restart::Always, Duration::ZERO, 1_000);
        for _ in 0..1_000 {
            eager.started(1_000 * S);
            assert_eq!(fail(&mut eager, S), NextRun::After(Duration::ZERO));
        }
    }
}
