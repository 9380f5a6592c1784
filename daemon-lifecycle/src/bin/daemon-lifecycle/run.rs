mod args;
mod report;
mod writer;

use std::{io, path::Path, time::Duration};

use daemon_lifecycle::{
    Notifier, PidFile, PidFileError, Signal, Supervision, Supervisor,
    program::{
        exit::{FAILED, SIGNAL, USAGE, WRAPPER},
        say, with_causes,
    },
};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::args::Run;
use self::report::Report;

/// There is little to do.
const WORKERS: usize = 2;
/// What whoever is replaced may take beyond the grace of its daemon, which we take to be like ours.
const TO_WIND_UP: Duration = Duration::from_secs(5);

/// Supervises until it is over. Returns an exit code.
pub(crate) fn supervise(run: &Run) -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return cannot("start", &error),
    };
    let code = runtime.block_on(until_over(run));
    // A name lookup may still hang in its own thread, and output wait for whoever does not read it.
    runtime.shutdown_background();
    code
}

async fn until_over(run: &Run) -> u8 {
    let report = match Report::new(run.output) {
        Ok(report) => report,
        Err(error) => return cannot("start", &error),
    };
    let mut supervisor = match run.supervisor(&report) {
        Ok(supervisor) => supervisor,
        Err(error) => {
            say(format_args!("error: {}", with_causes(&*error)));
            return USAGE;
        }
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return cannot("listen for signals", &error),
    };
    if let Some(path) = &run.pid_file {
        let claimed = tokio::select! {
            claimed = claim(path, run) => claimed,
            signal = signals.stop() => return SIGNAL + signal,
        };
        match claimed {
            Ok(pid_file) => supervisor = supervisor.pid_file(pid_file),
            Err(error) => return refused(&error),
        }
    }
    match Notifier::from_env() {
        Ok(notifier) => supervisor = notifier.into_iter().fold(supervisor, Supervisor::notifier),
        Err(error) => say(format_args!("not telling whoever started this: {error}")),
    }
    let telling = report.clone();
    let supervision = supervisor.on_event(move |event| telling.event(event)).spawn();
    let code = over_or_told_to_stop(supervision, &mut signals, &report).await;
    report.flush();
    code
}

async fn over_or_told_to_stop(supervision: Supervision, signals: &mut Signals, report: &Report) -> u8 {
    let signal = tokio::select! {
        end = supervision.over() => {
            let code = report::exit_code(&end);
            report.end(&end, code);
            return code;
        }
        signal = pass_on_until_stop(signals, &supervision) => signal,
    };
    let code = SIGNAL + signal;
    tokio::select! {
        end = supervision.stop() => report.end(&end, code),
        _ = signals.stop() => {
            supervision.kill().await;
            report.killed();
        }
    }
    code
}

async fn claim(path: &Path, run: &Run) -> Result<PidFile, PidFileError> {
    if run.replace {
        PidFile::replace(path, run.stop_grace.saturating_add(TO_WIND_UP)).await
    } else {
        PidFile::claim(path)
    }
}

fn refused(error: &PidFileError) -> u8 {
    if error.is_occupied() {
        say(format_args!("error: {error}; --replace ends it"));
        return FAILED;
    }
    say(format_args!("error: {}", with_causes(error)));
    WRAPPER
}

fn cannot(what: &str, error: &io::Error) -> u8 {
    say(format_args!("error: cannot {what}: {error}"));
    WRAPPER
}

/// The number of the signal that says to stop.
async fn pass_on_until_stop(signals: &mut Signals, supervision: &Supervision) -> u8 {
    loop {
        match signals.recv().await {
            Received::Stop(signal) => return signal,
            Received::PassOn(signal) => supervision.signal(signal).await,
        }
    }
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    user1: tokio::signal::unix::Signal,
    user2: tokio::signal::unix::Signal,
}

enum Received {
    Stop(u8),
    PassOn(Signal),
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn recv(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::Stop(2),
            _ = self.quit.recv() => Received::Stop(3),
            _ = self.terminate.recv() => Received::Stop(15),
            _ = self.hangup.recv() => Received::PassOn(Signal::Hangup),
            _ = self.user1.recv() => Received::PassOn(Signal::User1),
            _ = self.user2.recv() => Received::PassOn(Signal::User2),
        }
    }

    async fn stop(&mut self) -> u8 {
        loop {
            if let Received::Stop(signal) = self.recv().await {
                return signal;
            }
        }
    }
}
