//! How much is measured.

use std::fmt;
use std::time::Duration;

/// How many members beat.
pub(crate) const MEMBERS: usize = 10_000;
/// How many connections they share.
pub(crate) const CONNECTIONS: usize = 8;
/// How many beats go into a batch.
pub(crate) const BATCH: usize = 100;
/// How often each member has beaten before anything is measured: its history is full.
pub(crate) const WARM: usize = 101;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// In each, all subjects have a turn.
    pub(crate) rounds: usize,
    pub(crate) turn: Duration,
}

impl Plan {
    pub(crate) const QUICK: Self = Self { rounds: 9, turn: Duration::from_secs(1) };
    pub(crate) const THOROUGH: Self = Self { rounds: 15, turn: Duration::from_secs(5) };

    /// In process, nothing has to settle.
    pub(crate) fn turn_in_process(&self) -> Duration {
        self.turn / 2
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, turn } = self;
        write!(
            f,
            "measured  {rounds} rounds, in each a turn for all, of {turn:?} over HTTP and {:?} in process; {MEMBERS} members,\n          \
             {CONNECTIONS} connections",
            self.turn_in_process()
        )
    }
}
