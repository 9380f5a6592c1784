//! Whether the end of a command was asked for.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::SIGNAL;
use crate::cli::signal::Signal;

/// What has asked a command to end, if anything has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Request {
    #[default]
    None,
    /// By whatever end follows.
    ForGood,
    /// By this signal, which programs also get for other reasons: by an end until this moment, or by the signal itself.
    By(Signal, Instant),
}

impl Request {
    /// A signal has come, which a command may take so long to obey.
    pub(super) fn note(&mut self, signal: Signal, now: Instant, grace: Duration) {
        if signal == Signal::TERM {
            *self = Self::ForGood;
        } else if signal.asks_to_end() && !matches!(self, Self::ForGood) {
            *self = Self::By(signal, now + grace);
        }
    }

    pub(super) fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether it is what this end follows.
    pub(super) fn explains(self, status: ExitStatus, now: Instant) -> bool {
        match self {
            Self::None => false,
            Self::ForGood => true,
            Self::By(signal, until) => {
                let (number, code) = (signal.number(), status.code());
                now <= until || status.signal() == Some(number) || code == Some(i32::from(SIGNAL) + number)
            }
        }
    }
}

/// Whether an end tells of a signal that asked for it: by that signal, or by a code that names it, as a shell's does.
pub(super) fn looks_asked_for(status: ExitStatus) -> bool {
    let number = status.signal().or_else(|| status.code()?.checked_sub(SIGNAL.into()));
    number.and_then(Signal::from_number).is_some_and(Signal::asks_to_end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn ends_that_name_a_request_are_waited_with_and_no_others() {
        let by_signal = |number| looks_asked_for(ExitStatus::from_raw(number));
        let with_code = |code: i32| looks_asked_for(ExitStatus::from_raw(code << 8));
        for number in [1, 2, 3, 15] {
            assert!(by_signal(number) && with_code(128 + number), "{number}");
        }
        for number in [6, 9, 11] {
            assert!(!by_signal(number) && !with_code(128 + number), "{number}");
        }
        assert!([0, 1, 2, 3, 15, 127, 128, 255].into_iter().all(|code| !with_code(code)));
    }

    #[test]
    fn a_request_explains_what_comes_within_its_grace_or_by_its_signal_and_one_for_good_explains_all() {
        let (start, grace) = (monotonic(), Duration::from_secs(10));
        let failed = ExitStatus::from_raw(1 << 8);
        let mut request = Request::default();
        assert!(!request.explains(failed, start));
        request.note(Signal::WINCH, start, grace);
        assert!(request.is_none());
        request.note(Signal::INT, start, grace);
        assert!(request.explains(failed, start + grace));
        let later = start + 2 * grace;
        assert!(!request.explains(failed, later));
        assert!(
            request.explains(ExitStatus::from_raw(2), later) && request.explains(ExitStatus::from_raw(130 << 8), later)
        );
        request.note(Signal::TERM, start, grace);
        request.note(Signal::INT, start, grace);
        assert!(request.explains(failed, later));
    }
}
