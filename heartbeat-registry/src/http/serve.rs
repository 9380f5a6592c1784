//! An accept loop with timeouts: axum's own has none.

use std::convert::Infallible;
use std::future::poll_fn;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::Listener;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::pace::{Pace, Paced};

/// How long a peer may go on sending after its last answer.
const LINGER: Duration = Duration::from_secs(2);

/// What a server puts up with.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// How long the head of a request may take from its first byte on, and the first of a connection from when it was
    /// accepted; default 5 s.
    pub head_timeout: Duration,
    /// How long a connection may stay open between requests, from the last byte that was written on; default 75 s. Senders
    /// that beat less often connect anew.
    pub idle_timeout: Duration,
    /// How long a peer may read nothing of what is written to it before its connection is cut; default 30 s.
    pub write_timeout: Duration,
    /// How many connections are open at most; more wait to be accepted. Default 10,000.
    pub max_connections: NonZero<usize>,
    /// How long requests in hand may take to end after shutdown began; default 10 s.
    pub drain: Duration,
}

/// Comes with each request: ends when the server begins to stop, and so should answers without an end of their own.
#[derive(Clone, Debug)]
pub(super) struct Stopping(pub(super) CancellationToken);

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            max_connections: const { NonZero::new(10_000).expect("it is not zero") },
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves an app over HTTP/1.1 until `shutdown` ends, then finishes the requests in hand and closes idle connections.
/// Streams of events end there and then.
///
/// # Cancel safety
/// Dropped, it accepts no more, and its connections end as they do at shutdown, in the background.
pub async fn serve<L>(mut listener: L, app: Router, config: ServeConfig, shutdown: impl Future<Output = ()>)
where
    L: Listener,
    L::Io: Unpin,
    L::Addr: Clone + Send + Sync + Unpin + 'static,
{
    let stop = CancellationToken::new();
    let _stop_if_dropped = stop.clone().drop_guard();
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(config.max_connections.get()));
    tokio::pin!(shutdown);
    loop {
        let accept = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            (permit, (io, peer)) = accept => {
                let connection = connection(io, ConnectInfo(peer), app.clone(), config.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    stop.cancel();
    connections.close();
    connections.wait().await;
}

async fn connection<I, A>(io: I, peer: ConnectInfo<A>, app: Router, config: ServeConfig, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Clone + Send + Sync + Unpin + 'static,
{
    let pace = Pace::new();
    let io = TokioIo::new(Paced::new(io, Arc::clone(&pace), config.write_timeout));
    let watched = Arc::clone(&pace);
    let stopping = Stopping(stop.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(stopping.clone());
        Box::pin(answer(app.clone(), Arc::clone(&pace), request))
    });
    let mut connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    tokio::select! {
        biased;
        // Whatever a peer does wrong on its own connection is its own affair.
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {}
        () = watched.overdue(config.head_timeout, config.idle_timeout) => return,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            let ended = poll_fn(|cx| connection.poll_without_shutdown(cx));
            if tokio::time::timeout(config.drain, ended).await.is_err() {
                tracing::debug!("a connection was cut, since its request did not end in time");
            }
            return;
        }
    }
    linger(connection.into_parts().io.into_inner()).await;
}

/// Closes a connection so that the peer gets to read the last answer: closing while more of its request is on its way
/// would reset the connection and take the answer with it.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let discard = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io, &mut tokio::io::sink()).await
    };
    // However that ends, the connection does.
    if tokio::time::timeout(LINGER, discard).await.is_err() {
        tracing::debug!("a connection was cut, since its peer went on sending");
    }
}

async fn answer(app: Router, pace: Arc<Pace>, request: Request<Incoming>) -> Result<Response, Infallible> {
    let busy = pace.working();
    let response = app.oneshot(request.map(Body::new)).await?;
    // The connection is busy until the answer's body is taken to be written, or given up.
    Ok(response.map(|body: Body| {
        Body::new(body.map_frame(move |frame| {
            let _busy = &busy;
            frame
        }))
    }))
}
