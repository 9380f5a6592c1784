//! How a run ended, and what that means.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use daemon_lifecycle::program::exit;
use heartbeat_contract::Exit;

use crate::cli::SIGNAL;
use crate::cli::signal::Signal;

/// The end of one run.
#[derive(Debug)]
pub(super) enum End {
    /// It could not be started.
    NotStarted { program: String, error: io::Error },
    /// It ran and ended.
    Ended {
        pid: u32,
        status: ExitStatus,
        /// Whether somebody wanted it to end.
        asked: bool,
        /// Whether it was ended since it missed its watchdog, however it ended then.
        missed_watchdog: bool,
        /// Whether it ended before it had run as long as it should at least.
        too_soon: Option<TooSoon>,
    },
}

/// An end that came sooner than any should.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooSoon {
    ran: Duration,
    min_runtime: Duration,
}

impl TooSoon {
    /// After a run of this length, that should have been this long at least.
    pub(super) fn after(ran: Duration, min_runtime: Duration) -> Option<Self> {
        (ran < min_runtime).then_some(Self { ran, min_runtime })
    }
}

impl End {
    /// What this program exits with, if this was the last run.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::NotStarted { error, .. } => exit::of_start(error),
            Self::Ended { status, .. } => match (status.code(), status.signal()) {
                (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
                (None, signal) => SIGNAL.saturating_add(u8::try_from(signal.unwrap_or(0)).unwrap_or(0)),
            },
        }
    }

    /// The reason for a goodbye, if it is no failure.
    pub(super) fn goodbye(&self) -> Option<String> {
        match self {
            Self::Ended { asked: true, .. } => Some(self.to_string()),
            Self::Ended { status, missed_watchdog: false, too_soon: None, .. } if status.success() => {
                Some(self.to_string())
            }
            _ => None,
        }
    }

    /// Whether somebody wanted it to end, so that it should not run again.
    pub(super) fn was_asked_for(&self) -> bool {
        matches!(self, Self::Ended { asked: true, .. })
    }

    /// What a registry is told of it, if it is a failure.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::NotStarted { .. } => Exit { pid: None, exit_code: Some(self.code().into()), signal: None },
            Self::Ended { pid, status, .. } => {
                Exit { pid: Some(*pid), exit_code: status.code(), signal: status.signal() }
            }
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted { program, error } => write!(f, "cannot run `{program}`: {error}"),
            Self::Ended { missed_watchdog: true, .. } => f.write_str("missed its watchdog"),
            Self::Ended { asked: false, status, too_soon: Some(too_soon), .. } if status.success() => {
                let TooSoon { ran, min_runtime } = too_soon;
                let (seconds, millis) = (ran.as_secs(), ran.subsec_millis());
                write!(f, "exit 0 after {seconds}.{millis:03} s, sooner than --min-runtime {min_runtime:?}")
            }
            Self::Ended { status, .. } => match (status.code(), status.signal().and_then(Signal::from_number)) {
                (Some(code), _) => write!(f, "exit {code}"),
                (None, Some(signal)) => signal.fmt(f),
                (None, None) => status.fmt(f),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(wait_status: i32, asked: bool) -> End {
        let status = ExitStatus::from_raw(wait_status);
        End::Ended { pid: 7, status, asked, missed_watchdog: false, too_soon: None }
    }

    fn after(ran: Duration, wait_status: i32, asked: bool) -> End {
        let status = ExitStatus::from_raw(wait_status);
        let too_soon = TooSoon::after(ran, Duration::from_secs(10));
        End::Ended { pid: 7, status, asked, missed_watchdog: false, too_soon }
    }

    #[test]
    fn success_and_ends_that_were_asked_for_are_goodbyes_and_others_are_not() {
        assert_eq!(ended(0, false).goodbye().as_deref(), Some("exit 0"));
        assert_eq!(ended(15, true).goodbye().as_deref(), Some("SIGTERM"));
        assert_eq!(ended(3 << 8, true).goodbye().as_deref(), Some("exit 3"));
        assert_eq!(ended(3 << 8, false).goodbye(), None);
        assert_eq!(ended(15, false).goodbye(), None);
    }

    #[test]
    fn success_that_comes_too_soon_is_a_failure_and_exits_with_0() {
        let soon = after(Duration::from_millis(9_999), 0, false);
        assert_eq!((soon.goodbye(), soon.code(), soon.exit().exit_code), (None, 0, Some(0)));
        assert_eq!(soon.to_string(), "exit 0 after 9.999 s, sooner than --min-runtime 10s");
        assert_eq!(after(Duration::from_secs(10), 0, false).goodbye().as_deref(), Some("exit 0"));
        assert_eq!(after(Duration::ZERO, 0, true).goodbye().as_deref(), Some("exit 0"));
        assert_eq!(after(Duration::ZERO, 3 << 8, false).to_string(), "exit 3");
        assert!(TooSoon::after(Duration::ZERO, Duration::ZERO).is_none());
    }

    #[test]
    fn codes_are_those_of_env_and_the_shell() {
        assert_eq!([ended(0, false).code(), ended(3 << 8, false).code(), ended(9, false).code()], [0, 3, 137]);
        let not_started = |kind: io::ErrorKind| End::NotStarted { program: "x".to_owned(), error: kind.into() }.code();
        assert_eq!(not_started(io::ErrorKind::NotFound), 127);
        assert_eq!(not_started(io::ErrorKind::PermissionDenied), 126);
    }
}
