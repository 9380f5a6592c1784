//! Following the events of a registry elsewhere.

use std::fmt;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::time::Duration;

use heartbeat_contract::{Event, EventId, EventsLagged, EventsReset, routes};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response};
use tokio::time::Sleep;

use super::error::Failure;
use super::frames::{Frame, Frames, TooLong};
use super::{Client, ClientError, TIMEOUT, decoded, lost, read_answer};

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "last-event-id";
/// How long a stream may be silent: a registry sends something every 15 s.
const SILENCE: Duration = Duration::from_secs(40);
/// How long to wait before the first attempt to reconnect, until a registry asks for something else.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The shortest first wait that a registry may ask for.
const LEAST_DELAY: Duration = Duration::from_millis(500);
/// The longest wait between two attempts.
const MOST_DELAY: Duration = Duration::from_secs(30);

/// What is told to one who follows events.
#[derive(Debug)]
#[non_exhaustive]
pub enum Followed {
    /// The registry was reached, for the first time or again: from now on nothing is missed without a `Reset`.
    Connected,
    /// The next event.
    Event(Box<Event>),
    /// The registry does not know, or no longer keeps, what comes next. Events may have been missed; all that is kept
    /// follows.
    Reset(EventsReset),
    /// This reader is so slow that events were dropped before they were sent. A `Reset` follows.
    Lagged(EventsLagged),
    /// The connection was lost or could not be made. Another attempt is made by itself.
    Lost {
        /// Why.
        error: ClientError,
        /// When.
        again_in: Duration,
    },
}

/// Follows the events of a registry elsewhere, and reconnects by itself: see [`Client::follow`].
#[must_use = "nothing is asked before the first `next`"]
#[derive(Debug)]
pub struct Follow {
    client: Client,
    since: Option<EventId>,
    link: Link,
    /// Attempts in a row that came to nothing: no stream, or one that ended soon and told nothing.
    failures: u32,
    delays: Delays,
}

type Connecting = dyn Future<Output = Result<Stream, Refused>> + Send;

enum Link {
    /// Nothing is under way.
    Idle,
    Waiting(Pin<Box<Sleep>>),
    Connecting(Pin<Box<Connecting>>),
    Open(Box<Stream>),
}

#[derive(Debug)]
struct Stream {
    response: Response,
    frames: Frames,
    /// When to take the link for dead.
    silent: Pin<Box<Sleep>>,
}

/// Why there is no stream.
struct Refused {
    failure: Failure,
    retry_after: Duration,
}

#[derive(Debug)]
struct Delays {
    first: Duration,
    most: Duration,
    /// Whether the registry may say what the first is.
    negotiable: bool,
}

impl Client {
    /// Follows all events after one; without one, from now on. `0` is before the first.
    ///
    /// ```no_run
    /// use heartbeat_registry::client::{Client, Followed};
    ///
    /// # async fn run() -> Result<(), heartbeat_registry::client::ClientError> {
    /// let mut events = Client::new("http://127.0.0.1:8500")?.follow(None);
    /// loop {
    ///     match events.next().await? {
    ///         Followed::Event(event) => println!("{} {:?}", event.id, event.body),
    ///         Followed::Reset(reset) => println!("events before {} may have been missed", reset.oldest),
    ///         Followed::Lost { error, again_in } => eprintln!("{error}: trying again in {again_in:?}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub fn follow(&self, since: Option<EventId>) -> Follow {
        let delays = Delays { first: FIRST_DELAY, most: MOST_DELAY, negotiable: true };
        Follow { client: self.clone(), since, link: Link::Idle, failures: 0, delays }
    }
}

impl Follow {
    /// Sets how long to wait before reconnecting: `first` at first, then twice as long each time up to `most`, all of it
    /// less up to a half, at random. By default what the registry asks for, 1 to 3 s but never less than half a second, and
    /// 30 s.
    pub fn with_delays(self, first: Duration, most: Duration) -> Self {
        Self { delays: Delays { first, most, negotiable: false }, ..self }
    }

    /// The newest event that was told, or what was asked for if none was yet.
    #[must_use]
    pub fn position(&self) -> Option<&EventId> {
        self.since.as_ref()
    }

    /// Waits for what is told next. Each event comes once, in order; where some may be missing, a `Reset` says so.
    ///
    /// # Errors
    /// If the registry refuses, or what answers is none: what trying again by itself would not mend. Another call tries
    /// again all the same.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on with the same connection, attempt or wait.
    pub async fn next(&mut self) -> Result<Followed, ClientError> {
        loop {
            match &mut self.link {
                Link::Idle => self.link = Link::Connecting(Box::pin(connect(self.client.clone(), self.since.clone()))),
                Link::Waiting(sleep) => {
                    sleep.as_mut().await;
                    self.link = Link::Idle;
                }
                Link::Connecting(connecting) => match connecting.as_mut().await {
                    Ok(stream) => {
                        self.link = Link::Open(Box::new(stream));
                        return Ok(Followed::Connected);
                    }
                    Err(refused) => return self.lost(refused),
                },
                Link::Open(stream) => {
                    let frame = stream.next().await;
                    let told = frame.and_then(|frame| self.take(frame));
                    match told {
                        Ok(Some(told)) => return Ok(told),
                        Ok(None) => {}
                        Err(failure) => return self.lost(failure.into()),
                    }
                }
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Followed>, Failure> {
        let told = told(&frame)?;
        if let Some(retry) = frame.retry.filter(|_| self.delays.negotiable) {
            self.delays.first = retry.clamp(LEAST_DELAY, self.delays.most);
        }
        if let Some(id) = frame.id {
            self.since = Some(id.parse().map_err(|_| Failure::NoStream)?);
        }
        if told.is_some() {
            self.failures = 0;
        }
        Ok(told)
    }

    /// Waits and tries again, if that may help.
    fn lost(&mut self, Refused { failure, retry_after }: Refused) -> Result<Followed, ClientError> {
        let passes = failure.passes();
        let error = ClientError::new(&self.client.url(routes::EVENTS, &[]), failure);
        if !passes {
            self.link = Link::Idle;
            return Err(error);
        }
        let again_in = self.delays.after(self.failures).max(retry_after);
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Waiting(Box::pin(tokio::time::sleep(again_in)));
        Ok(Followed::Lost { error, again_in })
    }
}

impl Stream {
    fn new(response: Response) -> Self {
        Self { response, frames: Frames::default(), silent: Box::pin(tokio::time::sleep(SILENCE)) }
    }

    async fn next(&mut self) -> Result<Frame, Failure> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(frame);
            }
            self.read().await?;
        }
    }

    /// Reads until there is a frame: a registry says at once where its stream begins.
    async fn begun(mut self) -> Result<Self, Failure> {
        while self.frames.is_empty() {
            self.read().await?;
        }
        Ok(self)
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let chunk = tokio::select! {
            biased;
            chunk = self.response.chunk() => chunk.map_err(lost)?.ok_or(Failure::Ended)?,
            () = &mut self.silent => return Err(Failure::Silent),
        };
        self.silent = Box::pin(tokio::time::sleep(SILENCE));
        self.frames.feed(&chunk).map_err(|TooLong| Failure::TooLong)
    }
}

impl Delays {
    fn after(&self, failures: u32) -> Duration {
        let longest = self.first.saturating_mul(1 << failures.min(20)).min(self.most);
        let random = std::hash::RandomState::new().hash_one(failures) as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + random / 2.0)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: Duration::ZERO }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Waiting(_) => "Waiting",
            Self::Connecting(_) => "Connecting",
            Self::Open(_) => "Open",
        })
    }
}

async fn connect(client: Client, since: Option<EventId>) -> Result<Stream, Refused> {
    let url = client.url(routes::EVENTS, &[]);
    // The whole of a stream may take as long as it likes; its silence is watched instead.
    let mut request = client.request(Method::GET, &url).header(ACCEPT, EVENT_STREAM).timeout(Duration::MAX);
    if let Some(since) = since {
        request = request.header(LAST_EVENT_ID, since.to_string());
    }
    let answered = tokio::time::timeout(TIMEOUT, async {
        let response = request.send().await.map_err(lost)?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        if !is_stream(&response) {
            return Err(Failure::NoStream.into());
        }
        Ok(Stream::new(response).begun().await?)
    });
    answered.await.unwrap_or_else(|_| Err(Failure::Silent.into()))
}

fn is_stream(response: &Response) -> bool {
    let media = response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(EVENT_STREAM)
}

async fn refused(response: Response) -> Refused {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    let retry_after = Duration::from_secs(retry_after.unwrap_or(0)).min(MOST_DELAY);
    let failure = read_answer(response).await.map_or_else(|failure| failure, |_| Failure::NoStream);
    Refused { failure, retry_after }
}

/// What a frame tells; one without data is no event, and one of another name that has no id is of a newer version.
fn told(frame: &Frame) -> Result<Option<Followed>, Failure> {
    let Some(data) = frame.data.as_deref().map(str::as_bytes) else { return Ok(None) };
    Ok(match &*frame.event {
        "reset" => Some(Followed::Reset(decoded(data)?)),
        "lagged" => Some(Followed::Lagged(decoded(data)?)),
        _ if frame.id.is_some() => Some(Followed::Event(decoded(data)?)),
        _ => None,
    })
}
