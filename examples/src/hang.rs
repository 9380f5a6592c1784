//! Work that hangs while all else goes on, for demonstrations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Stopped;

/// How often work that rests or hangs looks whether that has changed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Whether work is to hang. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Hang(Arc<AtomicBool>);

impl Hang {
    /// Has the work hang from now on, or go on if it hangs.
    pub fn toggle(&self) {
        self.0.fetch_xor(true, Ordering::Relaxed);
    }

    /// Whether the work is to hang now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns once the work is to go on, or to stop: at once if it is not to hang.
    pub fn endure(&self, stopped: &Stopped) {
        while self.is_on() && !stopped.within(LOOK_EVERY) {}
    }

    /// Rests, but no longer than until the work is to hang or to stop. Returns what is left of the rest.
    #[must_use]
    pub fn rest(&self, duration: Duration, stopped: &Stopped) -> Duration {
        let mut left = duration;
        while !left.is_zero() && !self.is_on() && !stopped.within(left.min(LOOK_EVERY)) {
            left = left.saturating_sub(LOOK_EVERY);
        }
        left
    }
}

/// Has the work hang at SIGUSR1, and go on at the next one. From the call on that signal ends the program no more.
///
/// # Errors
/// If the system refuses to tell about signals.
#[cfg(unix)]
pub fn hang_by_signal(hang: Hang) -> std::io::Result<impl Future<Output = std::convert::Infallible>> {
    let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1())?;
    Ok(async move {
        while asked.recv().await.is_some() {
            hang.toggle();
        }
        std::future::pending().await
    })
}

/// Without such a signal, work never hangs.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn hang_by_signal(_: Hang) -> std::io::Result<impl Future<Output = std::convert::Infallible>> {
    Ok(std::future::pending())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop_pair;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn work_that_hangs_goes_on_when_told_so() {
        let (_stop, stopped) = stop_pair();
        let hang = Hang::default();
        hang.toggle();
        let told = hang.clone();
        let tells = std::thread::spawn(move || told.toggle());
        hang.endure(&stopped);
        assert!(!hang.is_on());
        tells.join().unwrap();
    }

    #[test]
    fn work_that_hangs_can_be_stopped() {
        let (stop, stopped) = stop_pair();
        let hang = Hang::default();
        hang.toggle();
        drop(stop);
        hang.endure(&stopped);
        assert!(hang.is_on());
    }

    #[test]
    fn a_rest_ends_early_where_the_work_is_to_hang_or_to_stop() {
        let (stop, stopped) = stop_pair();
        let hang = Hang::default();
        assert_eq!(hang.rest(Duration::from_millis(1), &stopped), Duration::ZERO);
        hang.toggle();
        assert_eq!(hang.rest(LONG, &stopped), LONG);
        hang.toggle();
        drop(stop);
        assert_eq!(hang.rest(LONG, &stopped), LONG);
    }
}
