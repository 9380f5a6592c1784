use std::time::Duration;

use tokio::sync::watch;

use crate::notify::NotifySocket;

/// What a daemon has said of itself so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) ready: bool,
    /// Its last `STATUS=` that was not empty.
    pub(crate) status: Option<String>,
    /// The last `EXTEND_TIMEOUT_USEC=`, and how many there were.
    pub(crate) extension: Duration,
    pub(crate) extensions: u64,
}

/// Listens for as long as the daemon lives, not only until it is ready: `systemd-notify` waits until it was read.
pub(crate) async fn listen(socket: NotifySocket, told: watch::Sender<Told>) {
    // A socket that cannot be read any more has nothing to tell.
    while let Ok(said) = socket.recv().await {
        told.send_modify(|told| {
            told.ready |= said.ready();
            if let Some(status) = said.status() {
                told.status = (!status.is_empty()).then(|| status.to_owned());
            }
            if let Some(extension) = said.extend_timeout() {
                told.extension = extension;
                told.extensions += 1;
            }
        });
    }
}

/// Until when somebody is waited for who may ask for more time.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Duration,
    extensions: u64,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { until: timeout, extensions: 0 }
    }

    /// What is left. More time counts from when it was asked for, and never shortens the wait.
    pub(crate) fn left(&mut self, told: &Told, elapsed: Duration) -> Duration {
        if told.extensions > self.extensions {
            self.extensions = told.extensions;
            self.until = self.until.max(elapsed.saturating_add(told.extension));
        }
        self.until.saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Patience, Told};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn asked_for(extension: u64, extensions: u64) -> Told {
        Told { extension: seconds(extension), extensions, ..Told::default() }
    }

    #[test]
    fn time_asked_for_counts_from_when_it_was_asked_for() {
        let mut patience = Patience::new(seconds(10));
        assert_eq!(patience.left(&Told::default(), seconds(4)), seconds(6));
        assert_eq!(patience.left(&asked_for(20, 1), seconds(5)), seconds(20));
        assert_eq!(patience.left(&asked_for(20, 1), seconds(15)), seconds(10), "not asked for again");
        assert_eq!(patience.left(&asked_for(20, 2), seconds(24)), seconds(20));
        assert_eq!(patience.left(&asked_for(20, 2), seconds(99)), Duration::ZERO);
    }

    #[test]
    fn to_ask_for_less_time_shortens_nothing() {
        let mut patience = Patience::new(seconds(10));
        assert_eq!(patience.left(&asked_for(1, 1), seconds(2)), seconds(8));
        let for_ever = Told { extension: Duration::MAX, extensions: 2, ..Told::default() };
        assert_eq!(patience.left(&for_ever, seconds(2)), Duration::MAX - seconds(2));
    }
}
