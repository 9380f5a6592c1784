//! Where time comes from.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::lock::lock;

/// A source of time. Ages are judged by [`monotonic`](Self::monotonic) alone; [`wall`](Self::wall) is for people.
pub trait Clock: Send + Sync + 'static {
    /// Time since some fixed moment; it never goes back.
    fn monotonic(&self) -> Duration;

    /// The time of day, which may jump.
    fn wall(&self) -> Timestamp;
}

/// The clocks of this machine.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Monotonic time counts from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are injected with")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are injected with")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved: for tests and simulations. Clones share their time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    time: Arc<Mutex<(Duration, Timestamp)>>,
}

impl ManualClock {
    /// Monotonic time begins at zero.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self { time: Arc::new(Mutex::new((Duration::ZERO, wall))) }
    }

    /// Moves both clocks forward.
    ///
    /// # Panics
    /// If the wall clock would pass the year 9999.
    pub fn advance(&self, by: Duration) {
        let mut time = lock(&self.time);
        time.0 += by;
        time.1 += by;
    }

    /// Moves both clocks to a monotonic time, unless it is past.
    pub fn advance_to(&self, monotonic: Duration) {
        self.advance(monotonic.saturating_sub(self.monotonic()));
    }

    /// Sets the wall clock alone.
    pub fn set_wall(&self, wall: Timestamp) {
        lock(&self.time).1 = wall;
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        lock(&self.time).0
    }

    fn wall(&self) -> Timestamp {
        lock(&self.time).1
    }
}
