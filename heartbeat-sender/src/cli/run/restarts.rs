//! Whether, and when, an ended command runs again. Plain arithmetic.

use std::time::Duration;

use clap::ValueEnum;

const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A run of this length was no crash at start-up.
const STABLE: Duration = Duration::from_secs(60);

/// When to run a command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Restart {
    /// One run is enough.
    Never,
    /// After it failed.
    OnFailure,
    /// However it ended.
    Always,
}

/// Spaces restarts, and ends a crash loop.
#[derive(Debug)]
pub(super) struct Restarts {
    when: Restart,
    first: Duration,
    limit: u32,
    in_a_row: u32,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Run {
        after: Duration,
    },
    End,
    /// Too many restarts in a row.
    GiveUp,
}

impl Restarts {
    pub(super) fn new(when: Restart, first: Duration, limit: u32) -> Self {
        Self { when, first, limit, in_a_row: 0 }
    }

    /// A run of this length has ended by itself.
    pub(super) fn after(&mut self, ran: Duration, has_failed: bool) -> Next {
        let again = match self.when {
            Restart::Never => false,
            Restart::OnFailure => has_failed,
            Restart::Always => true,
        };
        if !again {
            return Next::End;
        }
        if ran >= STABLE {
            self.in_a_row = 0;
        }
        if self.in_a_row >= self.limit {
            return Next::GiveUp;
        }
        let doubled = self.first.saturating_mul(1_u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX));
        self.in_a_row += 1;
        Next::Run { after: doubled.min(LONGEST_DELAY.max(self.first)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_a_minute_and_begin_anew_after_a_run_of_a_minute() {
        let mut restarts = Restarts::new(Restart::OnFailure, S, 100);
        for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(restarts.after(S, true), Next::Run { after: S * delay });
        }
        assert_eq!(restarts.after(59 * S, true), Next::Run { after: 60 * S });
        assert_eq!(restarts.after(60 * S, true), Next::Run { after: S });
        (0..80).for_each(|_| drop(format!("{:?}", restarts.after(S, true))));
        assert_eq!(restarts.after(S, true), Next::Run { after: 60 * S });
    }

    #[test]
    fn a_crash_loop_is_given_up() {
        let mut restarts = Restarts::new(Restart::Always, S, 2);
        assert_eq!(restarts.after(S, true), Next::Run { after: S });
        assert_eq!(restarts.after(S, false), Next::Run { after: 2 * S });
        assert_eq!(restarts.after(S, true), Next::GiveUp);
        assert_eq!(restarts.after(60 * S, true), Next::Run { after: S });
    }

    #[test]
    fn success_is_run_again_only_if_always_is_asked_for() {
        assert_eq!(Restarts::new(Restart::OnFailure, S, 9).after(S, false), Next::End);
        assert_eq!(Restarts::new(Restart::Never, S, 9).after(S, true), Next::End);
        assert_eq!(Restarts::new(Restart::Always, S, 9).after(S, false), Next::Run { after: S });
    }
}
