//! Beats over HTTP and the simulated network.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use heartbeat_contract::{Ack, Payload, routes};
use heartbeat_sender::{HttpAnswer, SendError, Transport};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use turmoil::net::TcpStream;

/// The host that the registry runs on, and its port.
pub(crate) const QUEEN: &str = "queen";
pub(crate) const PORT: u16 = 8500;

/// The same as the transport of heartbeat-sender has.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the network does with the beats of a machine, beyond what is done to links.
#[derive(Clone, Debug)]
pub(crate) struct Mischief(Arc<Mutex<Dice>>);

#[derive(Debug)]
struct Dice {
    rng: fastrand::Rng,
    twice: f64,
    late: f64,
}

enum Fate {
    Plain,
    /// It comes a second time, this much later.
    Twice(Duration),
    /// It comes this much later, when its sender may have given it up.
    Late(Duration),
}

impl Mischief {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Dice { rng: fastrand::Rng::with_seed(seed), twice: 0.0, late: 0.0 })))
    }

    /// Sets which share of the beats comes twice, and which late.
    pub(crate) fn set(&self, twice: f64, late: f64) {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (dice.twice, dice.late) = (twice, late);
    }

    fn draw(&self) -> Fate {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (fate, after) = (dice.rng.f64(), Duration::from_millis(dice.rng.u64(0..20_000)));
        if fate < dice.twice {
            Fate::Twice(after)
        } else if fate < dice.twice + dice.late {
            Fate::Late(after)
        } else {
            Fate::Plain
        }
    }
}

/// An HTTP/1.1 connection to the registry, which goes on only while a request is under way.
struct Link {
    requests: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<TcpStream>, Full<Bytes>>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Link {
    async fn open() -> Result<Self, BoxError> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((QUEEN, PORT))).await??;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { requests, connection })
    }

    async fn post(&mut self, path: &str, body: Bytes) -> Result<Reply, BoxError> {
        let request = Request::post(path).header(HOST, QUEEN).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(body))?;
        let requests = &mut self.requests;
        let mut exchange = Box::pin(async move {
            requests.ready().await?;
            let (head, body) = requests.send_request(request).await?.into_parts();
            let body = Limited::new(body, HttpAnswer::MAX_BYTES).collect().await?.to_bytes();
            Ok(Reply { status: head.status, headers: head.headers, body })
        });
        tokio::select! {
            biased;
            reply = &mut exchange => reply,
            // Its last deed may have been to hand over the answer.
            _ = &mut self.connection => exchange.await,
        }
    }
}

/// Posts on a connection of its own.
pub(crate) async fn post(path: &str, body: Bytes) -> Result<Reply, BoxError> {
    Link::open().await?.post(path, body).await
}

/// Brings the beats of one process to the registry.
pub(crate) struct Wire {
    kept: Mutex<Option<Link>>,
    mischief: Mischief,
}

impl Wire {
    pub(crate) fn new(mischief: &Mischief) -> Self {
        Self { kept: Mutex::new(None), mischief: mischief.clone() }
    }

    /// Dropped while under way, it takes the connection with it.
    async fn exchange(&self, path: &str, body: Bytes) -> Result<Ack, SendError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lost = |error: BoxError| SendError::lost(error);
        let answered = match kept {
            Some(mut link) => link.post(path, body.clone()).await.ok().map(|reply| (link, reply)),
            None => None,
        };
        let (link, reply) = match answered {
            Some(answered) => answered,
            None => {
                let mut link = Link::open().await.map_err(|error| SendError::connect(QUEEN, error))?;
                let reply = link.post(path, body).await.map_err(lost)?;
                (link, reply)
            }
        };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
        let text = |name: HeaderName| reply.headers.get(name)?.to_str().ok();
        let (status, retry_after, date) = (reply.status.as_u16(), text(RETRY_AFTER), text(DATE));
        HttpAnswer { status, retry_after, date, body: &reply.body }.read()
    }
}

impl<P: Payload> Transport<P> for Wire {
    async fn send(&self, beat: P) -> Result<Ack, SendError> {
        let path = routes::beat(&P::KIND);
        let body = Bytes::from(serde_json::to_vec(&beat).map_err(SendError::unwritable)?);
        match self.mischief.draw() {
            Fate::Plain => self.exchange(&path, body).await,
            Fate::Twice(after) => {
                drop(tokio::spawn(arrive_later(path.clone(), body.clone(), after)));
                self.exchange(&path, body).await
            }
            Fate::Late(after) => {
                drop(tokio::spawn(arrive_later(path, body, after)));
                std::future::pending().await
            }
        }
    }
}

/// It is the network that delivers it, whatever has become of its sender.
async fn arrive_later(path: String, body: Bytes, after: Duration) {
    tokio::time::sleep(after).await;
    drop(tokio::time::timeout(Duration::from_secs(30), post(&path, body)).await);
}
