//! The one place of this crate that reads a clock.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall clock of this machine: what [`run`](crate::run) takes outside simulations.
///
/// It stamps beats and numbers the run; nothing is ever timed by it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the injected clock has to come from somewhere")]
pub fn system_clock() -> Timestamp {
    Timestamp::now()
}

/// For how long this machine has slept since it was started, as [`HeartbeatTask::with_sleep_clock`] takes it: by how much
/// the clock that goes on in sleep is ahead of the one that does not. Always zero where that is not known, which is
/// everywhere but on Linux.
///
/// [`HeartbeatTask::with_sleep_clock`]: crate::HeartbeatTask::with_sleep_clock
#[must_use]
pub fn system_sleep() -> Duration {
    #[cfg(target_os = "linux")]
    {
        linux_sleep()
    }
    #[cfg(not(target_os = "linux"))]
    {
        Duration::ZERO
    }
}

#[cfg(target_os = "linux")]
fn linux_sleep() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    // Between two readings this thread may have to wait, which is not sleep.
    let mut closest = (Duration::MAX, Duration::ZERO);
    for _ in 0..8 {
        let (before, boot, after) = (read(ClockId::Monotonic), read(ClockId::Boottime), read(ClockId::Monotonic));
        let spread = after.saturating_sub(before);
        closest = closest.min((spread, boot.saturating_sub(after)));
        if spread < Duration::from_micros(100) {
            break;
        }
    }
    closest.1
}

/// The clock of threads that no runtime knows of.
#[cfg(feature = "host-metrics")]
#[expect(clippy::disallowed_methods, reason = "how old figures are is told by the clock they were read by")]
pub(crate) fn steady() -> std::time::Instant {
    std::time::Instant::now()
}

/// Tokio's clock, so that `tokio::time::pause` governs every wait.
#[expect(clippy::disallowed_methods, reason = "sleeping until a slot needs the clock that sleeps")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
