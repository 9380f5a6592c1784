//! Processes that are stopped, as by SIGSTOP: what they wait for goes on, but they do not get to run.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// Whether a process may run. Closed between two steps of the simulation, never in the middle of anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    wakers: Vec<Waker>,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.with(|waiting| waiting.closed = true);
    }

    /// Lets the process run again. Which of its tasks runs first, its timers' or its sockets', is for `turn` to say.
    pub(crate) fn open(&self, turn: impl FnOnce(&mut [Waker])) {
        let mut wakers = self.with(|waiting| {
            waiting.closed = false;
            std::mem::take(&mut waiting.wakers)
        });
        turn(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.with(|waiting| waiting.closed)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.with(|waiting| {
            if !waiting.closed {
                return Poll::Ready(());
            }
            if !waiting.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Waiting) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Something that happens only while a gate is open.
pub(crate) struct Gated<T> {
    inner: T,
    gate: Gate,
}

impl<T> Gated<T> {
    pub(crate) fn new(inner: T, gate: &Gate) -> Self {
        Self { inner, gate: gate.clone() }
    }
}

impl<F: Future + ?Sized> Future for Gated<Pin<Box<F>>> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        std::task::ready!(self.gate.poll(cx));
        self.inner.as_mut().poll(cx)
    }
}

impl Listener for Gated<TcpListener> {
    type Io = Gated<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            std::future::poll_fn(|cx| self.gate.poll(cx)).await;
            if let Ok((stream, peer)) = self.inner.accept().await {
                return (Gated::new(stream, &self.gate), peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl AsyncRead for Gated<TcpStream> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.gate.poll(cx));
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gated<TcpStream> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.gate.poll(cx));
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.gate.poll(cx));
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.gate.poll(cx));
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
