use std::{fmt, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{
    clock,
    notify::{Notification, NotifySocket, Watchdog},
    readable::Readable,
};

/// What a daemon has said of itself so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) ready: bool,
    /// Its last `STATUS=` that was not empty.
    pub(crate) status: Option<String>,
    /// The last `EXTEND_TIMEOUT_USEC=`, and how many there were.
    pub(crate) extension: Duration,
    pub(crate) extensions: u64,
    /// The last `WATCHDOG_USEC=`.
    watchdog: Option<Duration>,
    pub(crate) missed: Option<MissedWatchdog>,
}

/// How a daemon has missed its watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissedWatchdog {
    /// It was silent for longer than this.
    Silent(Duration),
    /// It said `WATCHDOG=trigger`.
    Triggered,
}

impl fmt::Display for MissedWatchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(every) => write!(f, "no WATCHDOG=1 for {}", Readable(*every)),
            Self::Triggered => f.write_str("WATCHDOG=trigger"),
        }
    }
}

impl Told {
    fn hear(&mut self, said: &Notification) {
        self.ready |= said.ready();
        if let Some(status) = said.status() {
            self.status = (!status.is_empty()).then(|| status.to_owned());
        }
        if let Some(extension) = said.extend_timeout() {
            self.extension = extension;
            self.extensions += 1;
        }
        self.watchdog = watchdog_timeout(said).or(self.watchdog);
        if said.watchdog_trigger() {
            self.missed = Some(MissedWatchdog::Triggered);
        }
    }
}

/// None at all would be missed whatever the daemon does.
fn watchdog_timeout(said: &Notification) -> Option<Duration> {
    said.watchdog_timeout().filter(|every| !every.is_zero())
}

/// Listens for as long as the daemon lives, not only until it is ready: `systemd-notify` waits until it was read.
///
/// From when there is a time in `armed`, the daemon has to say within each such time that it is alive. That is watched here,
/// since nobody else knows that there is nothing left to be read.
pub(crate) async fn listen(
    socket: NotifySocket,
    told: watch::Sender<Told>,
    mut armed: watch::Receiver<Option<Duration>>,
) {
    let mut watchdog: Option<Watchdog> = None;
    loop {
        let due = watchdog.as_ref().and_then(Watchdog::due);
        tokio::select! {
            biased;
            said = socket.recv() => {
                // A socket that cannot be read any more has nothing to tell.
                let Ok(said) = said else { return };
                told.send_modify(|told| told.hear(&said));
                if let Some(watchdog) = &mut watchdog {
                    feed(watchdog, &said, clock::now());
                }
            }
            every = arming(&mut armed), if watchdog.is_none() => {
                let mut begun = Watchdog::new(told.borrow().watchdog.unwrap_or(every));
                begun.feed(clock::now());
                watchdog = Some(begun);
            }
            () = clock::at(due) => {
                if let Some(watchdog) = &mut watchdog
                    && watchdog.check(clock::now())
                {
                    told.send_modify(|told| told.missed = Some(MissedWatchdog::Silent(watchdog.every())));
                }
            }
        }
    }
}

fn feed(watchdog: &mut Watchdog, said: &Notification, now: Instant) {
    if let Some(every) = watchdog_timeout(said) {
        watchdog.change(every, now);
    }
    if said.watchdog() {
        watchdog.feed(now);
    }
}

async fn arming(armed: &mut watch::Receiver<Option<Duration>>) -> Duration {
    let armed = armed.wait_for(Option::is_some).await.map(|every| *every);
    match armed {
        Ok(Some(every)) => every,
        // Nobody is left who would.
        Ok(None) | Err(_) => std::future::pending().await,
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
    use std::os::unix::net::UnixDatagram;

    use super::{Duration, MissedWatchdog, NotifySocket, Patience, Told, clock, listen, watch};

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

    /// A daemon of which so many seconds may pass between two signs of life, and how long it has been watched.
    struct Watched {
        told: watch::Receiver<Told>,
        armed: watch::Sender<Option<Duration>>,
        path: std::path::PathBuf,
        _listener: tokio::task::JoinSet<()>,
    }

    impl Watched {
        fn new() -> Self {
            let socket = NotifySocket::bind().expect("a socket");
            let ((teller, told), (armed, arming)) = (watch::channel(Told::default()), watch::channel(None));
            let path = socket.path().to_owned();
            let mut listener = tokio::task::JoinSet::new();
            listener.spawn(listen(socket, teller, arming));
            Self { told, armed, path, _listener: listener }
        }

        fn says(&self, said: &str) {
            let sender = UnixDatagram::unbound().expect("a socket");
            sender.send_to(said.as_bytes(), &self.path).expect("to be heard");
        }

        /// How it is missed, and in how many milliseconds.
        async fn missed(&mut self) -> (MissedWatchdog, u128) {
            let since = clock::now();
            let told = self.told.wait_for(|told| told.missed.is_some()).await.expect("it is listened to");
            (told.missed.expect("it was waited for"), since.elapsed().as_millis())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_is_missed_once_it_was_silent_for_too_long_since_it_was_watched() {
        let mut watched = Watched::new();
        tokio::time::sleep(seconds(3_600)).await;
        assert_eq!(watched.told.borrow().missed, None, "nobody watches yet");
        watched.armed.send_replace(Some(seconds(10)));
        for _ in 0..5 {
            tokio::time::sleep(seconds(9)).await;
            watched.says("WATCHDOG=1");
        }
        // Timers go by whole milliseconds, and a little beyond.
        let (missed, millis) = watched.missed().await;
        assert_eq!(missed, MissedWatchdog::Silent(seconds(10)));
        assert!((10_000..10_010).contains(&millis), "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_chooses_another_time_before_it_is_watched_and_after() {
        let mut watched = Watched::new();
        watched.says("WATCHDOG_USEC=5000000");
        tokio::time::sleep(seconds(1)).await;
        watched.armed.send_replace(Some(seconds(10)));
        tokio::time::sleep(seconds(1)).await;
        watched.says("WATCHDOG_USEC=0\nSTATUS=no time at all is none");
        tokio::time::sleep(seconds(1)).await;
        watched.says("WATCHDOG_USEC=20000000");
        let (missed, millis) = watched.missed().await;
        assert_eq!(missed, MissedWatchdog::Silent(seconds(20)));
        assert!((20_000..20_010).contains(&millis), "{millis}");

        let mut other = Watched::new();
        other.says("WATCHDOG_USEC=2000000");
        tokio::time::sleep(seconds(1)).await;
        other.armed.send_replace(Some(seconds(10)));
        assert_eq!(other.missed().await.0, MissedWatchdog::Silent(seconds(2)));
    }
}
