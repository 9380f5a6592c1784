//! How long a connection may take: for the head of a request from its first byte on, between requests, and to read an
//! answer.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::lock::lock;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// Us.
    Working,
}

/// The phase of one connection, which begins with the head of its first request. hyper has one timeout for the wait between
/// requests and for heads alike, which would either cut idle senders or let slow heads linger.
#[derive(Debug)]
pub(super) struct Pace {
    phase: Mutex<Phase>,
    changed: Notify,
}

impl Pace {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new(Phase::Head), changed: Notify::new() })
    }

    /// A request has arrived as far as its head; it is answered when the guard is dropped.
    pub(super) fn working(self: Arc<Self>) -> Busy {
        self.enter(Phase::Working);
        Busy(self)
    }

    /// Waits until the connection has been in a phase for longer than it may.
    pub(super) async fn overdue(&self, head: Duration, idle: Duration) {
        loop {
            let phase = *lock(&self.phase);
            let changed = self.changed.notified();
            let within = match phase {
                Phase::Idle => tokio::time::timeout(idle, changed).await,
                Phase::Head => tokio::time::timeout(head, changed).await,
                Phase::Working => {
                    changed.await;
                    Ok(())
                }
            };
            if within.is_err() {
                return;
            }
        }
    }

    fn read(&self) {
        if *lock(&self.phase) == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// A peer that is still reading its answer keeps nobody waiting for its next request.
    fn wrote(&self) {
        if *lock(&self.phase) == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    fn enter(&self, phase: Phase) {
        *lock(&self.phase) = phase;
        self.changed.notify_one();
    }
}

/// A request in hand.
pub(super) struct Busy(Arc<Pace>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// A connection that tells its [`Pace`] when it is read from, and breaks once its peer reads nothing for too long.
pub(super) struct Paced<I> {
    io: I,
    pace: Arc<Pace>,
    write_timeout: Duration,
    /// When to give up, while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<I> Paced<I> {
    pub(super) fn new(io: I, pace: Arc<Pace>, write_timeout: Duration) -> Self {
        Self { io, pace, write_timeout, stalled: None }
    }

    fn unless_stalled<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.pace.wrote();
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        stalled.as_mut().poll(cx).map(|()| {
            tracing::debug!("a connection was cut, since its peer did not read");
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Paced<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pace.read();
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Paced<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.unless_stalled(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
