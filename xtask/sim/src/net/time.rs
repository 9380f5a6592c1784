//! Simulated time, as every clock of the system reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use heartbeat_registry::Clock;
use jiff::{SignedDuration, Timestamp};

/// The wall clock of everyone at the beginning, in seconds since the epoch.
const DAWN: i64 = 1_767_322_800;

/// How long the simulation has gone on, whoever asks. Inside a simulated host time goes on within a step; between steps it
/// stands where the last one ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn now(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_else(|| Duration::from_micros(self.0.load(Ordering::Relaxed)))
    }

    /// A step has ended here.
    pub(crate) fn stands_at(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).expect("a simulation takes less than ages");
        self.0.store(micros, Ordering::Relaxed);
    }
}

/// The wall clock of one host, which may be set to anything at any time.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    time: Time,
    /// How far it is off, in milliseconds.
    off: Arc<AtomicI64>,
}

impl Wall {
    pub(crate) fn new(time: &Time) -> Self {
        Self { time: time.clone(), off: Arc::default() }
    }

    pub(crate) fn read(&self) -> Timestamp {
        let dawn = Timestamp::from_second(DAWN).expect("a year of four digits");
        dawn + self.time.now() + SignedDuration::from_millis(self.off.load(Ordering::Relaxed))
    }

    pub(crate) fn set_right(&self) {
        self.off.store(0, Ordering::Relaxed);
    }

    pub(crate) fn jump(&self, millis: i64) {
        self.off.fetch_add(millis, Ordering::Relaxed);
    }
}

/// The clocks of one life of the registry.
#[derive(Clone, Debug)]
pub(crate) struct RegistryClock {
    time: Time,
    wall: Wall,
    born: Duration,
}

impl RegistryClock {
    pub(crate) fn start(time: &Time, wall: &Wall) -> Self {
        Self { time: time.clone(), wall: wall.clone(), born: time.now() }
    }
}

impl Clock for RegistryClock {
    fn monotonic(&self) -> Duration {
        self.time.now().saturating_sub(self.born)
    }

    fn wall(&self) -> Timestamp {
        self.wall.read()
    }
}
