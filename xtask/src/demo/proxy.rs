//! A line between one member and the registry that can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long to wait where the system accepts no connection just now.
const PAUSE: Duration = Duration::from_millis(100);

/// Forwards TCP connections to one address. Dropped, it closes them all.
pub(super) struct Proxy {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    forwarding: JoinHandle<()>,
}

impl Proxy {
    /// One that listens on a free port of the loopback interface.
    pub(super) async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (is_cut, told) = watch::channel(false);
        Ok(Self { address, is_cut, forwarding: tokio::spawn(forward_all(listener, target, told)) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and from now on each new one at once.
    pub(super) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Forwards again. What was closed stays so.
    pub(super) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

async fn forward_all(listener: TcpListener, target: SocketAddr, is_cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => {
                    connections.spawn(forward(near, target, is_cut.clone()));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Forwards both ways until either end closes or fails, and not while the line is cut. Then both ends are closed: what went
/// wrong is theirs to find out.
async fn forward(mut near: TcpStream, target: SocketAddr, mut is_cut: watch::Receiver<bool>) {
    let passes = async {
        let mut far = TcpStream::connect(target).await?;
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
        _ = passes => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that sends back what it is sent.
    async fn echo() -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, mut serving) = (listener.local_addr().unwrap(), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        (address, serving)
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    /// What comes back of something sent; nothing if the connection is closed, in whatever way.
    async fn answer(stream: &mut TcpStream) -> Vec<u8> {
        stream.write_all(b"beat").await.ok();
        let mut answer = vec![0; 4];
        match stream.read_exact(&mut answer).await {
            Ok(_) => answer,
            Err(_) => Vec::new(),
        }
    }

    fn with_a_proxy(test: impl AsyncFnOnce(Proxy)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (target, _serving) = echo().await;
            test(Proxy::to(target).await.unwrap()).await;
        });
    }

    #[test]
    fn a_whole_line_forwards_both_ways() {
        with_a_proxy(async |proxy| {
            let (mut one, mut other) = (connect(&proxy).await, connect(&proxy).await);
            assert_eq!(answer(&mut one).await, b"beat");
            assert_eq!(answer(&mut other).await, b"beat");
            assert_eq!(answer(&mut one).await, b"beat");
        });
    }

    #[test]
    fn a_cut_line_closes_what_is_open_and_forwards_nothing_new() {
        with_a_proxy(async |proxy| {
            let mut open = connect(&proxy).await;
            assert_eq!(answer(&mut open).await, b"beat");
            proxy.cut();
            assert_eq!(answer(&mut open).await, b"");
            assert_eq!(answer(&mut connect(&proxy).await).await, b"");
        });
    }

    #[test]
    fn a_mended_line_forwards_new_connections() {
        with_a_proxy(async |proxy| {
            proxy.cut();
            assert_eq!(answer(&mut connect(&proxy).await).await, b"");
            proxy.mend();
            assert_eq!(answer(&mut connect(&proxy).await).await, b"beat");
        });
    }
}
