//! Canaries: small requests through the own listener, which tell how far behind it is with reading beats.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use heartbeat_contract::routes;
use tokio_util::sync::CancellationToken;

use super::errand::{Errand, Lost};
use crate::engine::Engine;
use crate::fleet::Fleet;

/// How long a new connection may take to be answered for the first time. Beyond it, the cause may be that there is no room
/// for another one, which says nothing about those there are.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait after a canary that could not be sent.
const REST: Duration = Duration::from_secs(1);

/// Measures how far behind a listener is with reading beats, so that beats which wait in its buffers count for no silence.
///
/// While anyone is monitored, an empty batch is posted through the listener every 100 ms, over one connection that is kept,
/// by a thread with a runtime of its own. Any answer proves that the whole path is served, 401 and 404 among them. As long
/// as one is under way, the clock that judges does not pass the moment 150 ms after it was to be sent, and when it comes
/// late, the rest is credited to every member at once. So nobody's age grows by more than 250 ms while beats are not read,
/// which is the allowance of those that beat every second.
///
/// If no connection can be made, for another reason than that it takes long, or a new one is not answered within 10 s, the
/// clock goes on without canaries until one comes back: a warning is logged, and
/// [`Stats::blind`](crate::contract::Stats::blind) says why.
///
/// A fleet that is served by [`serve`](super::serve), or by a server of yours, on one address wants one:
///
/// ```
/// use heartbeat_registry::http::{self, Canary, ServeConfig};
/// use heartbeat_registry::{Fleet, FleetConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let fleet = Fleet::start(FleetConfig::default())?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let canary = Canary::through(listener.local_addr()?).start(&fleet)?;
/// let stop = async { /* until a signal comes */ };
/// http::serve(listener, http::router(&fleet), ServeConfig::default(), async {
///     stop.await;
///     canary.shutdown().await;
/// })
/// .await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Canary {
    address: SocketAddr,
    path: String,
}

impl Canary {
    /// Goes through the listener on an address. One that is unspecified, such as 0.0.0.0, is reached over loopback.
    pub fn through(listener: SocketAddr) -> Self {
        let mut address = listener;
        if address.ip().is_unspecified() {
            let is_v4 = address.is_ipv4();
            address.set_ip(if is_v4 { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) });
        }
        Self { address, path: routes::BATCH.to_owned() }
    }

    /// Posts to another path than that of batches: where the routes are nested under a prefix, `/queen/v1/heartbeats`. What
    /// answers there should take the way that beats take.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Starts to send them. They end with the handle, and with the last one of the fleet.
    ///
    /// # Errors
    /// If the path is none, the fleet has canaries already (`AlreadyExists`), or the thread cannot be started.
    pub fn start(self, fleet: &Fleet) -> io::Result<CanaryHandle> {
        let path: PathAndQuery =
            self.path.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let errand = Errand::new(self.address, Uri::from(path));
        let engine = &fleet.engine;
        if !engine.begin_canaries() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "canaries of this fleet are sent already"));
        }
        let flock = Flock(Arc::downgrade(engine));
        let wanted = Arc::clone(&engine.ingest.wanted);
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, done) = (stop.clone(), ended.clone());
        let (build, built) = std::sync::mpsc::sync_channel(1);
        // A runtime must not be dropped where the caller may be, in another one, so its thread makes it.
        let send = move || {
            let _ended = done.drop_guard();
            let flock = flock;
            let (runtime, is_built) = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            if build.send(is_built).is_ok()
                && let Some(runtime) = runtime
            {
                runtime.block_on(async {
                    tokio::select! {
                        () = flock.send(errand, &wanted) => {}
                        () = stopped.cancelled() => {}
                    }
                });
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat-canary".to_owned()).spawn(send)?;
        built.recv().map_err(io::Error::other)??;
        Ok(CanaryHandle { stop, ended, thread: Some(thread) })
    }
}

/// Canaries that are sent. They end when this is dropped.
#[derive(Debug)]
#[must_use = "canaries end when their handle is dropped"]
pub struct CanaryHandle {
    stop: CancellationToken,
    ended: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl CanaryHandle {
    /// Ends them and waits until they have ended: best before their listener does, which they would miss.
    ///
    /// # Cancel safety
    /// Dropped, it has ended them, and only does not wait.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        self.ended.cancelled().await;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that sends canaries had panicked");
        }
    }

    /// Waits until they have ended with their fleet.
    ///
    /// # Cancel safety
    /// Dropped, it only does not wait.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for CanaryHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// All canaries of an engine. Dropped, also by a panic, it makes sure that none is waited for.
struct Flock(Weak<Engine>);

impl Drop for Flock {
    fn drop(&mut self) {
        if let Some(engine) = self.0.upgrade() {
            engine.end_canaries();
        }
    }
}

impl Flock {
    /// Sends one after the other until the engine is gone.
    async fn send(&self, mut errand: Errand, wanted: &tokio::sync::Notify) {
        while let Some(engine) = self.0.upgrade() {
            if !engine.wants_canaries() {
                drop(engine);
                wanted.notified().await;
                continue;
            }
            let sent = engine.canary_sent();
            drop(engine);
            let pause = match self.run(&mut errand).await {
                Ok(()) => {
                    self.0.upgrade().map(|engine| engine.canary_answered(sent).saturating_sub(engine.monotonic()))
                }
                Err(lost) => {
                    self.give_up(&lost);
                    Some(REST)
                }
            };
            tokio::time::sleep(pause.unwrap_or_default()).await;
        }
    }

    /// Sends one and waits until it is back: for as long as it takes over a connection that was answered before.
    async fn run(&self, errand: &mut Errand) -> Result<(), Lost> {
        if errand.again().await {
            return Ok(());
        }
        let anew = errand.anew();
        tokio::pin!(anew);
        if let Ok(back) = tokio::time::timeout(PATIENCE, &mut anew).await {
            return back;
        }
        self.give_up(&Lost::unanswered(PATIENCE));
        anew.await
    }

    fn give_up(&self, lost: &Lost) {
        if let Some(engine) = self.0.upgrade() {
            engine.canaries_are_unusable(lost.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{CanaryState, MemberId, WorkerHeartbeat};

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::FleetConfig;
    use crate::registry::WorkerRegistry;

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_that_is_never_answered_stops_the_clock_for_ten_seconds_and_no_longer() {
        let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
        let fleet = Fleet::new(FleetConfig::default(), clock.clone()).unwrap();
        WorkerRegistry::new(&fleet).record(WorkerHeartbeat::new(MemberId::new("w").unwrap())).unwrap();
        let never_accepts = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let errand = Errand::new(never_accepts.local_addr().unwrap(), Uri::from_static(routes::BATCH));
        fleet.engine.begin_canaries();
        let flock = Flock(Arc::downgrade(&fleet.engine));
        let wanted = tokio::sync::Notify::new();
        let sending = flock.send(errand, &wanted);
        tokio::pin!(sending);
        let at = |seconds| {
            clock.advance_to(Duration::from_secs(seconds));
            fleet.sweep();
            fleet.engine.now().at
        };
        tokio::time::timeout(PATIENCE / 2, &mut sending).await.unwrap_err();
        assert_eq!((at(5), fleet.stats().blind.canary), (150_000, CanaryState::Late));
        tokio::time::timeout(PATIENCE, &mut sending).await.unwrap_err();
        let blind = fleet.stats().blind;
        assert_eq!((blind.canary, at(6)), (CanaryState::Unusable, 401_000), "as far as the driver planned to sleep");
        assert_eq!(blind.canary_error.unwrap(), "a new connection was not answered within 10 s");
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_over_loopback() {
        for (listener, reached) in [
            ("0.0.0.0:8500", "127.0.0.1:8500"),
            ("[::]:8500", "[::1]:8500"),
            ("127.0.0.1:8500", "127.0.0.1:8500"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(Canary::through(listener.parse().unwrap()).address, reached.parse().unwrap());
        }
    }
}
