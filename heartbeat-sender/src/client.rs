//! The HTTP client of one registry, and how it finds it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect, retry};
use tokio::sync::Semaphore;

use crate::place::Place;

/// Shared by the addresses of a name, of which each gets its part; IPv4 is tried beside IPv6.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Below the minute after which load balancers commonly drop an idle connection without a word.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);
const USER_AGENT: &str = concat!("heartbeat-sender/", env!("CARGO_PKG_VERSION"));
/// The second in case the first hangs. More would only wait for threads, in a queue that grows for as long as lookups hang.
const LOOKUPS_AT_A_TIME: usize = 2;

/// Clients of one registry, one after the other: each begins with a new connection.
pub(crate) struct Clients {
    place: Place,
    lookups: Arc<Lookups>,
    current: Mutex<Client>,
}

/// Looks names up with the system, on threads where that may take its time, and remembers no answer.
struct Lookups {
    look_up: fn(&str) -> io::Result<Vec<SocketAddr>>,
    free: Arc<Semaphore>,
}

impl Clients {
    pub(crate) fn to(place: &Place) -> reqwest::Result<Self> {
        Self::found_by(place, |name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    fn found_by(place: &Place, look_up: fn(&str) -> io::Result<Vec<SocketAddr>>) -> reqwest::Result<Self> {
        let lookups = Arc::new(Lookups { look_up, free: Arc::new(Semaphore::new(LOOKUPS_AT_A_TIME)) });
        let current = Mutex::new(build(place, &lookups)?);
        Ok(Self { place: place.clone(), lookups, current })
    }

    pub(crate) fn current(&self) -> Client {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the connection, so that the next one is made to where the registry is by then.
    pub(crate) fn renew(&self) {
        match build(&self.place, &self.lookups) {
            Ok(client) => *self.current.lock().unwrap_or_else(PoisonError::into_inner) = client,
            Err(error) => tracing::debug!(%error, "cannot make another HTTP client; the old one goes on"),
        }
    }
}

fn build(place: &Place, lookups: &Arc<Lookups>) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(1)
        .dns_resolver(Arc::clone(lookups));
    #[cfg(unix)]
    let builder = match place.socket() {
        Some(path) => builder.unix_socket(path),
        None => builder,
    };
    builder.build()
}

impl Resolve for Lookups {
    fn resolve(&self, name: Name) -> Resolving {
        let (look_up, free) = (self.look_up, Arc::clone(&self.free));
        Box::pin(async move {
            let Ok(permit) = free.try_acquire_owned() else {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "lookups of its name hang").into());
            };
            let found = tokio::task::spawn_blocking(move || {
                let _until_found = permit;
                look_up(name.as_str())
            });
            let addresses: Addrs = Box::new(found.await??.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::*;

    /// Answers requests on one address of this machine, and hangs up where a client begins anew.
    async fn serve(listener: TcpListener) {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4096];
                while connection.read(&mut read).await.is_ok_and(|count| count > 0) {
                    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok();
                }
            });
        }
    }

    fn clients(port: u16, look_up: fn(&str) -> io::Result<Vec<SocketAddr>>) -> Clients {
        Clients::found_by(&Place::parse(&format!("http://queen:{port}")).unwrap(), look_up).unwrap()
    }

    async fn get(clients: &Clients) -> reqwest::Result<reqwest::Response> {
        clients.current().get(clients.place.url("/")).send().await
    }

    fn on(addresses: [[u8; 4]; 3]) -> io::Result<Vec<SocketAddr>> {
        Ok(addresses.map(|address| SocketAddr::from((address, 0))).to_vec())
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried_in_each_attempt() {
        // The first address refuses, the second never answers: its one place for connections that wait is taken.
        let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind(SocketAddr::from(([127, 0, 0, 2], port))).unwrap();
        let silent = silent.listen(0).unwrap();
        let _waits = TcpStream::connect(silent.local_addr().unwrap()).await.unwrap();
        tokio::spawn(serve(listener));
        let clients = clients(port, |_| on([[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]]));
        for attempt in 0..2 {
            get(&clients).await.unwrap_or_else(|error| panic!("attempt {attempt}: {error:?}"));
            clients.renew();
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_for_each_connection_and_for_no_other_beat() {
        static LOOKED_UP: AtomicUsize = AtomicUsize::new(0);
        let looked_up_so_far = || LOOKED_UP.load(Ordering::Relaxed);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener));
        let clients = clients(port, |name| {
            assert_eq!(name, "queen");
            LOOKED_UP.fetch_add(1, Ordering::Relaxed);
            on([[127, 0, 0, 1]; 3])
        });
        for (client, looked_up) in [(1, 1), (1, 1), (2, 2), (2, 2)] {
            if client > looked_up_so_far() {
                clients.renew();
            }
            get(&clients).await.unwrap().bytes().await.unwrap();
            assert_eq!(looked_up_so_far(), looked_up);
            // A connection that is kept goes back to its pool on a task of its own.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }

    #[test]
    fn lookups_that_hang_take_two_threads_and_no_queue_grows() {
        static LOOKED_UP: AtomicUsize = AtomicUsize::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clients = clients(1, |_| {
            LOOKED_UP.fetch_add(1, Ordering::Relaxed);
            loop {
                thread::park();
            }
        });
        runtime.block_on(async {
            for _ in 0..10 {
                let failed = tokio::time::timeout(Duration::from_millis(20), get(&clients)).await;
                assert!(!matches!(failed, Ok(Ok(_))));
            }
            let error = get(&clients).await.unwrap_err();
            assert!(format!("{error:?}").contains("lookups of its name hang"), "{error:?}");
        });
        runtime.shutdown_background();
        assert_eq!(LOOKED_UP.load(Ordering::Relaxed), 2);
    }
}
