//! The seam between what is told and how it is sent.

use std::time::Duration;

use super::notice::Notice;

/// Keeps what is to be sent to one place until it is taken. Times are those of a monotonic clock.
pub(super) trait Outbox: Send {
    /// Takes what is to be told; returns how much had to go to make room for it.
    fn put(&mut self, notice: Notice, now: Duration) -> u64;

    /// When there is something to send.
    fn due(&self) -> Option<Duration>;

    /// What to send now. It is under way until it [ended](Self::ended).
    fn next(&mut self, now: Duration) -> Option<Post>;

    /// What was under way was taken, or given up; returns how much is never told because of that.
    fn ended(&mut self, end: End, now: Duration) -> u64;
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) body: Vec<u8>,
    pub(super) idempotency_key: Option<String>,
}

/// What became of a request, after as many attempts as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Taken,
    /// It may be taken later.
    GivenUp,
    /// It would never be taken.
    Refused,
}
