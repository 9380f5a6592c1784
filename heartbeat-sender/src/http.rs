//! Beats over HTTP.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(all(feature = "cli", unix))]
use heartbeat_contract::Kind;
use heartbeat_contract::{Ack, Payload, routes};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::answer::HttpAnswer;
use crate::client::Clients;
use crate::place::Place;
use crate::run::send_within;
use crate::token::{Token, TokenFile, bearer};
use crate::{ConfigError, HeartbeatConfig, SendError, Transport};

const ONE_SHOT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes something of an answer.
type Read<T> = fn(HttpAnswer<'_>) -> Result<T, SendError>;

/// Brings beats to a registry over HTTP/1.1, on one connection that is kept open between beats.
///
/// It connects within 2 s to the first address of the registry's name that takes the connection, follows no redirect, uses
/// no proxy and reads at most 64 KiB of an answer. A beat that meets a kept connection which the registry has just closed
/// is sent once more, on a new one, with the same number. After a failure that is not told in a registry's own words, the
/// next beat goes out on a new connection, for which the name is looked up anew.
pub struct HttpTransport {
    place: Place,
    clients: Clients,
    token: Option<Token>,
    /// Whether there may be a kept connection, so that a lost one is no sign of a lost registry.
    may_be_kept: AtomicBool,
    fallbacks: Vec<Self>,
}

impl HttpTransport {
    /// A transport to the registry at an absolute URL, as [`HeartbeatConfig::registry_url`] describes it.
    ///
    /// # Errors
    /// If the URL is no absolute `http://` URL without query and fragment, nor `unix://` with an absolute path, or if it is
    /// `https://` without the feature `rustls`, or if the system refuses the client.
    pub fn new(registry_url: &str) -> Result<Self, ConfigError> {
        let place = Place::parse(registry_url)?;
        let clients = Clients::to(&place).map_err(|error| ConfigError::System(error.into()))?;
        Ok(Self { place, clients, token: None, may_be_kept: AtomicBool::new(false), fallbacks: Vec::new() })
    }

    /// Adds another registry, where beats go that do not get through to this one, nor to those added before; see
    /// [`HeartbeatConfig::further_registry_urls`]. Only a loop goes there: [`send`](Transport::send) does not.
    #[must_use]
    pub fn or(mut self, further: Self) -> Self {
        self.fallbacks.push(further);
        self
    }

    /// Sends a token with each beat, as `Authorization: Bearer`.
    ///
    /// # Errors
    /// If the token has characters that no HTTP header can carry, or there is another token already, or the URL holds a
    /// user name or password.
    pub fn with_bearer_token(mut self, token: &str) -> Result<Self, ConfigError> {
        self.has_room_for_a_token()?;
        self.token = Some(Token::Fixed(parse_token(token)?));
        Ok(self)
    }

    /// Sends the token in a file with each beat, as [`HeartbeatConfig::bearer_token_file`] describes it. Reads the file at
    /// once, and waits for that.
    ///
    /// # Errors
    /// If the file cannot be read or holds no token that an HTTP header can carry, or there is another token already, or
    /// the URL holds a user name or password.
    pub fn with_bearer_token_file(mut self, path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        self.has_room_for_a_token()?;
        self.token = Some(Token::File(TokenFile::read(path.into())?));
        Ok(self)
    }

    pub(crate) fn for_config<P: Payload>(config: &HeartbeatConfig<P>) -> Result<Self, ConfigError> {
        let first = config.registry_url.as_deref().ok_or(ConfigError::NoRegistryUrl)?;
        let further = config.further_registry_urls.iter().map(|url| Self::to_one(url, config));
        further.fold(Self::to_one(first, config), |first, further| Ok(first?.or(further?)))
    }

    fn to_one<P: Payload>(registry_url: &str, config: &HeartbeatConfig<P>) -> Result<Self, ConfigError> {
        let mut transport = Self::new(registry_url)?;
        if let Some(token) = &config.bearer_token {
            transport = transport.with_bearer_token(token)?;
        }
        if let Some(path) = &config.bearer_token_file {
            transport = transport.with_bearer_token_file(path)?;
        }
        Ok(transport)
    }

    fn has_room_for_a_token(&self) -> Result<(), ConfigError> {
        if self.place.has_credentials() {
            // They would be sent as an `Authorization` of their own.
            return Err(ConfigError::TwoAuthorizations);
        }
        if self.token.is_some() {
            return Err(ConfigError::TwoBearerTokens);
        }
        Ok(())
    }

    /// Without the further registries, and these.
    #[cfg(all(feature = "cli", unix))]
    pub(crate) fn split(mut self) -> (Self, Vec<Self>) {
        let further = std::mem::take(&mut self.fallbacks);
        (self, further)
    }

    /// Sends a beat of a kind that is no type here.
    #[cfg(all(feature = "cli", unix))]
    pub(crate) async fn post_of_kind(&self, kind: &Kind, beat: Vec<u8>) -> Result<Ack, SendError> {
        self.post(&routes::beat(kind), beat, |answer| answer.read()).await
    }

    /// Sends many beats in one request.
    #[cfg(feature = "relay")]
    pub(crate) async fn post_batch(&self, batch: Vec<u8>) -> Result<heartbeat_contract::BatchAnswer, SendError> {
        self.post(routes::BATCH, batch, |answer| answer.read_batch()).await
    }

    /// Posts beats, and once more if they were refused for a token that another has replaced meanwhile.
    async fn post<T>(&self, path: &str, body: Vec<u8>, read: Read<T>) -> Result<T, SendError> {
        let Some(token) = &self.token else { return self.exchange(path, body, None, read).await };
        let authorization = token.authorization();
        let answer = self.exchange(path, body.clone(), Some(&authorization), read).await;
        if answer.as_ref().is_err_and(is_refused_to_us)
            && let Some(newer) = token.instead_of(&authorization).await
        {
            return self.exchange(path, body, Some(&newer), read).await;
        }
        answer
    }

    async fn exchange<T>(
        &self,
        path: &str,
        body: Vec<u8>,
        authorization: Option<&HeaderValue>,
        read: Read<T>,
    ) -> Result<T, SendError> {
        let answer = self.exchange_once(path, body, authorization, read).await;
        if answer.as_ref().is_err_and(|error| error.problem().is_none()) {
            // Something else than a registry, which may have moved: its connection would lead there for as long as it lasts.
            self.may_be_kept.store(false, Ordering::Relaxed);
            self.clients.renew();
        }
        answer
    }

    async fn exchange_once<T>(
        &self,
        path: &str,
        body: Vec<u8>,
        authorization: Option<&HeaderValue>,
        read: Read<T>,
    ) -> Result<T, SendError> {
        let was_kept = self.may_be_kept.swap(false, Ordering::Relaxed);
        let answer = match self.request(path, body.clone(), authorization).await {
            Err(error) if was_kept && is_closed(&error) => self.request(path, body, authorization).await,
            answer => answer,
        };
        let response = answer.map_err(|error| self.lost(error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.body_of(response).await?;
        self.may_be_kept.store(true, Ordering::Relaxed);
        let text = |name: HeaderName| text_of(&headers, name);
        read(HttpAnswer { status, retry_after: text(RETRY_AFTER), date: text(DATE), body: &body })
    }

    async fn request(
        &self,
        path: &str,
        body: Vec<u8>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, reqwest::Error> {
        let request = self.clients.current().post(self.place.url(path));
        let mut request = request.header(CONTENT_TYPE, "application/json").body(body);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await
    }

    async fn body_of(&self, mut response: Response) -> Result<Vec<u8>, SendError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > HttpAnswer::MAX_BYTES {
                let detail = format_args!("longer than {} bytes", HttpAnswer::MAX_BYTES);
                return Err(SendError::unreadable(response.status().as_u16(), detail));
            }
        }
        Ok(body)
    }

    fn lost(&self, error: reqwest::Error) -> SendError {
        // Without the URL, which may hold a password; where it matters, the place is told.
        let error = error.without_url();
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => SendError::connect_timeout(self.place.shown(), Reason(error)),
            (true, false) => SendError::connect(self.place.shown(), Reason(error)),
            (false, _) => SendError::lost(Reason(error)),
        }
    }
}

impl<P: Payload> Transport<P> for HttpTransport {
    async fn send(&self, beat: P) -> Result<Ack, SendError> {
        let body = serde_json::to_vec(&beat).map_err(SendError::unwritable)?;
        self.post(&routes::beat(&P::KIND), body, |answer| answer.read()).await
    }

    fn fallbacks(&self) -> &[Self] {
        &self.fallbacks
    }

    fn place(&self) -> &str {
        self.place.shown()
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("HttpTransport");
        shown.field("place", &self.place.shown());
        if !self.fallbacks.is_empty() {
            shown.field("fallbacks", &self.fallbacks);
        }
        shown.finish_non_exhaustive()
    }
}

/// Sends one beat as it is, without a loop, and waits at most 5 s for its answer.
///
/// Without `beat.incarnation` and `beat.seq` a beat is unordered; a registry refuses one for a member that it knows as
/// alive and ordered, such as one with a running loop.
///
/// ```no_run
/// use heartbeat_contract::{MemberId, WorkerHeartbeat};
/// use heartbeat_sender::send_heartbeat;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let beat = WorkerHeartbeat::new(MemberId::new("nightly-7")?);
/// let ack = send_heartbeat("http://localhost:8500", beat).await?;
/// println!("next beat expected in {:?}", ack.next_in());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the URL cannot be used, the registry cannot be reached or does not answer with an ack.
///
/// # Panics
/// Outside a tokio runtime, or in one without I/O and time.
///
/// # Cancel safety
/// Dropped before it completes, the beat may or may not have arrived.
pub async fn send_heartbeat<P: Payload>(registry_url: impl AsRef<str>, beat: P) -> Result<Ack, SendError> {
    let transport = HttpTransport::new(registry_url.as_ref())?;
    send_within(ONE_SHOT_TIMEOUT, &transport, beat).await
}

/// Whether a transport to this URL could be made, as far as that can be told without reading the file for the token.
pub(crate) fn check<P: Payload>(registry_url: &str, config: &HeartbeatConfig<P>) -> Result<(), ConfigError> {
    let place = Place::parse(registry_url)?;
    let has_token = config.bearer_token.is_some() || config.bearer_token_file.is_some();
    if has_token && place.has_credentials() {
        return Err(ConfigError::TwoAuthorizations);
    }
    config.bearer_token.as_deref().map_or(Ok(()), |token| parse_token(token).map(drop))
}

fn parse_token(token: &str) -> Result<HeaderValue, ConfigError> {
    bearer(token.as_bytes()).ok_or(ConfigError::BearerToken)
}

/// By 401 or 403: another token may be let in.
fn is_refused_to_us(error: &SendError) -> bool {
    let status = error.status().map(StatusCode::from_u16);
    matches!(status, Some(Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)))
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A failure of the HTTP client, without its two outer layers, which say no more than that it failed.
#[derive(Debug)]
struct Reason(reqwest::Error);

impl Reason {
    fn inner(&self) -> &(dyn Error + 'static) {
        std::iter::successors(self.0.source(), |&cause| cause.source()).take(2).last().unwrap_or(&self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner().source()
    }
}

/// Whether the connection was closed before any of the answer came, as it happens when a server closes an idle connection
/// while a request is under way to it (hyperium/hyper#2136).
fn is_closed(error: &reqwest::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    error.is_request() && !error.is_connect() && causes.any(is_closing)
}

fn is_closing(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    }
    let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(io, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        HttpTransport::new(url).unwrap_err().to_string()
    }

    #[test]
    fn https_is_spoken_with_the_feature_and_refused_by_its_name_without() {
        let https = HttpTransport::new("https://queen.example");
        if cfg!(feature = "rustls") {
            assert!(https.is_ok());
        } else {
            let expected = "registry URL \"https://queen.example\" needs the feature `rustls` of heartbeat-sender";
            assert_eq!(https.unwrap_err().to_string(), expected);
            assert_eq!(refused("https://me:secret@queen.example"), expected.replace("example", "example/"));
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused() {
        let transport = HttpTransport::new("http://queen:8500").unwrap();
        assert!(matches!(transport.with_bearer_token("a\nb"), Err(ConfigError::BearerToken)));
    }

    #[test]
    fn neither_token_nor_password_is_shown() {
        let with_password = HttpTransport::new("http://me:secret@queen:8500").unwrap();
        let with_token = HttpTransport::new("http://queen:8500").unwrap().with_bearer_token("secret").unwrap();
        for transport in [with_password, with_token] {
            assert_eq!(format!("{transport:?}"), "HttpTransport { place: \"http://queen:8500\", .. }");
        }
        for url in ["http://me:secret@queen:8500/?x", "ftp://me:secret@queen", "http://me:se/secret@queen"] {
            let refused = HttpTransport::new(url).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("secret"), "{refused:?}");
        }
    }

    #[test]
    fn a_token_and_a_password_are_one_too_many() {
        for url in ["http://me:secret@queen:8500", "http://me@queen:8500"] {
            let transport = HttpTransport::new(url).unwrap();
            assert!(matches!(transport.with_bearer_token("token"), Err(ConfigError::TwoAuthorizations)));
            let mut config = crate::WorkerHeartbeatConfig::new("worker-123", url);
            assert!(config.validate().is_ok());
            config.bearer_token = Some("token".into());
            assert!(matches!(config.validate(), Err(ConfigError::TwoAuthorizations)));
            config.bearer_token = None;
            config.bearer_token_file = Some("/no-file-has-this-name".into());
            assert!(matches!(config.validate(), Err(ConfigError::TwoAuthorizations)));
        }
    }
}
