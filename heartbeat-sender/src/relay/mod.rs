//! Passing on the beats of members on this host.

mod connection;
mod gathering;
pub(crate) mod letter;
mod socket;
mod upstream;
mod way;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Kind, MemberId};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::connection::{Door, converse};
use self::gathering::Gatherer;
use self::socket::Socket;
use self::upstream::Upstream;
use crate::HttpTransport;

/// How many connections are open at most; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How many beats wait at most, for others or for the registry; further ones are refused with 503 at once.
const MAX_LETTERS: usize = 8192;
/// How many peers wait to be looked at; of further ones the next beat tells again.
const MAX_PEERS: usize = 1024;
/// After an error of accept(2), such as too many open files.
const BREATH: Duration = Duration::from_millis(100);
/// How long answers may still take once the relay stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How a relay serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayConfig {
    /// The permissions of the socket: who may write to it may beat. Default: `0o660`.
    pub mode: u32,
    /// The hive on whose host the relay runs: told with beats of workers that name none, so that its word counts for them.
    pub hive_id: Option<MemberId>,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { mode: 0o660, hive_id: None }
    }
}

/// Takes beats at a Unix socket as a registry takes them over HTTP, and passes them on in batches.
///
/// Members on this host reach it with `unix:///path` as their registry URL, and name the registry itself as a further one:
/// when the relay or its way to the registry is gone, a beat is refused with 503 or not at all, and the next goes direct.
///
/// A beat waits for others for a twentieth of the interval it declares, at most half a second, or until a hundred wait; each
/// gets its own answer out of that for the batch. It knows the two routes of each kind for single beats, and no other; it
/// keeps nothing: a beat is answered only once the registry has answered. Of several registries, one that has not answered
/// within 2 s or refuses is left for the next at once; batches stay there, and about every minute one tries whether they
/// can return.
#[derive(Debug)]
pub struct Relay {
    socket: Socket,
    config: RelayConfig,
    upstream: HttpTransport,
}

/// A relay that serves, until [stopped](Self::stop). Dropped, it stops without waiting for answers that are due.
#[derive(Debug)]
#[must_use = "the relay stops when this is dropped"]
pub struct Serving {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    gathering: JoinHandle<()>,
}

/// A process that sent a beat with an order over the relay, so that it is one that goes on beating.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The worker it beats for.
    pub id: MemberId,
    /// The run it beats for.
    pub incarnation: Option<u64>,
    /// Its process id, as the kernel tells it.
    pub pid: u32,
    /// Whether that run ends with this beat.
    pub is_last: bool,
}

/// Who beats over a relay.
#[derive(Debug)]
pub struct Peers(mpsc::Receiver<Peer>);

impl Peers {
    /// Waits for the next beat of a worker and tells from which process it came; `None` once the relay has stopped. Of more
    /// than 1,024 that wait, the rest is dropped: their next beats tell again.
    ///
    /// # Cancel safety
    /// Safe: what has not been returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Peer> {
        self.0.recv().await
    }
}

impl Relay {
    /// Binds the socket. A stale one that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// If another process listens there, something else than a socket is in the way, or the socket cannot be made.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn bind(path: impl AsRef<Path>, config: RelayConfig, upstream: HttpTransport) -> io::Result<Self> {
        let socket = Socket::bind(path.as_ref(), config.mode)?;
        Ok(Self { socket, config, upstream })
    }

    /// Serves, on tasks of the current runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn serve(self) -> (Serving, Peers) {
        let Self { socket, config, upstream } = self;
        let (letters, arriving) = mpsc::channel(MAX_LETTERS);
        let (seen, peers) = mpsc::channel(MAX_PEERS);
        let (stop, stopped) = watch::channel(false);
        let name = config.hive_id.as_ref().map_or_else(|| format!("relay-{}", std::process::id()), ToString::to_string);
        let gathering = tokio::spawn(Gatherer::new(Upstream::new(upstream, &name)).run(arriving));
        let door = Door { letters, seen, hive_id: config.hive_id };
        let accepting = tokio::spawn(accept(socket, Arc::new(door), stopped));
        (Serving { stop, accepting, gathering }, Peers(peers))
    }
}

impl Serving {
    /// Takes no more beats, answers those that wait within a second, and removes the socket.
    ///
    /// # Cancel safety
    /// Dropped, the relay stops without waiting.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ending = async {
            // Failing means that it panicked, which has been told.
            (&mut self.accepting).await.ok();
            (&mut self.gathering).await.ok();
        };
        tokio::time::timeout(LAST_ANSWERS, ending).await.ok();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
        self.gathering.abort();
    }
}

/// Whether beats of this kind tell of a process that may be a worker's.
fn is_worker(kind: &Kind) -> bool {
    *kind == Kind::WORKER
}

async fn accept(socket: Socket, door: Arc<Door>, mut stopped: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut conversations = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = conversations.join_next() => continue,
            accepted = next_connection(&socket, &room) => accepted,
        };
        match accepted {
            Ok((connection, place)) => {
                let pid = connection.peer_cred().ok().and_then(|peer| known(peer.pid()?));
                let (door, stopped) = (Arc::clone(&door), stopped.clone());
                conversations.spawn(async move {
                    converse(TokioIo::new(connection), door, pid, stopped).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the relay cannot accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    // Whoever asks from now on is to go direct.
    drop(socket);
    while conversations.join_next().await.is_some() {}
}

/// The pid of a peer, unless it is none here: 0 stands for a process outside of the relay's pid namespace.
fn known(pid: i32) -> Option<u32> {
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

async fn next_connection(
    socket: &Socket,
    room: &Arc<Semaphore>,
) -> io::Result<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    Ok((socket.accept().await?, place))
}

/// Waits for a moment, or for ever.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_a_pid_here_is_nobody_to_watch() {
        assert_eq!([known(-1), known(0), known(4711)], [None, None, Some(4711)]);
    }
}
