//! How a program learns that it should end.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// Dropped, it stops whoever holds the other half.
#[derive(Debug)]
#[must_use = "dropped, it stops the other half"]
pub struct Stop {
    _sender: SyncSender<()>,
}

/// Tells a thread that it is to stop.
#[derive(Debug)]
pub struct Stopped(Receiver<()>);

/// The two halves of a request to stop.
pub fn stop_pair() -> (Stop, Stopped) {
    let (sender, receiver) = sync_channel(0);
    (Stop { _sender: sender }, Stopped(receiver))
}

impl Stopped {
    /// Whether it was asked for.
    #[must_use]
    pub fn now(&self) -> bool {
        self.0.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Sleeps, and tells whether it was asked for meanwhile.
    #[must_use]
    pub fn within(&self, duration: Duration) -> bool {
        self.0.recv_timeout(duration) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Waits for SIGTERM, or for Ctrl-C.
///
/// # Errors
/// If the system refuses to tell about signals.
///
/// # Cancel safety
/// A signal that comes while nobody waits is lost.
#[cfg(unix)]
pub async fn asked_to_stop() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Waits for Ctrl-C.
///
/// # Errors
/// If the system refuses to tell about it.
///
/// # Cancel safety
/// A signal that comes while nobody waits is lost.
#[cfg(not(unix))]
pub async fn asked_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_one_half_stops_the_other() {
        let (stop, stopped) = stop_pair();
        assert!(!stopped.now());
        assert!(!stopped.within(Duration::ZERO));
        drop(stop);
        assert!(stopped.now());
        assert!(stopped.within(Duration::from_secs(600)));
    }
}
