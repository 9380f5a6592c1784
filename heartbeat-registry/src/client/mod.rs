//! Reading from a registry elsewhere, and operating it.

mod error;
mod follow;
mod frames;
mod verify;

use std::time::Duration;

use heartbeat_contract::{
    AskedDirective, Directive, DirectiveRequest, EventId, EventsPage, Explanation, HistoryPage, Kind, MemberId,
    MemberView, MembersPage, Policy, Problem, ProtectionView, ProtectionsPage, ResolvedPolicy, Stats, routes,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use error::Failure;

pub use error::ClientError;
pub use follow::{Follow, Followed};

use crate::history_query::HistoryQuery;
use crate::query::MembersQuery;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Reads from a registry elsewhere, and operates it, over HTTP. Cheap to clone.
///
/// ```no_run
/// use heartbeat_registry::MembersQuery;
/// use heartbeat_registry::client::Client;
/// use heartbeat_registry::contract::{HealthState, Kind};
///
/// # async fn run() -> Result<(), heartbeat_registry::client::ClientError> {
/// let client = Client::new("http://127.0.0.1:8500")?;
/// let failed = MembersQuery { states: vec![HealthState::Failed], ..MembersQuery::default() };
/// for worker in client.all_members(&Kind::WORKER, &failed).await? {
///     println!("{} {:?}", worker.id, worker.cause);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    authorization: Option<HeaderValue>,
}

impl Client {
    /// A client of the registry at a URL, such as `http://127.0.0.1:8500`. Nothing is sent yet.
    ///
    /// # Errors
    /// If the text is no URL with `http`, or with `https` where the feature `rustls` is on, or holds a user name or
    /// password: a registry asks for a [bearer token](Self::with_bearer_token).
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let refused = |why: String| ClientError::new(without_credentials(url), Failure::Url(why));
        let parsed: reqwest::Url =
            url.parse().map_err(|error| refused(format!("expected http://HOST:PORT ({error})")))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("expected no user name and no password".to_owned()));
        }
        match parsed.scheme() {
            "http" => {}
            "https" if cfg!(feature = "rustls") => {}
            "https" => return Err(refused("https needs the feature `rustls` of heartbeat-registry".to_owned())),
            other => return Err(refused(format!("expected http://HOST:PORT, not the scheme {other}"))),
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refused("expected no query and no fragment".to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| ClientError::new(url, Failure::Transport(error)))?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), http, authorization: None })
    }

    /// Sends a bearer token along with each request.
    ///
    /// # Errors
    /// If no header can carry it.
    pub fn with_bearer_token(self, token: &str) -> Result<Self, ClientError> {
        let refused = |_| ClientError::new(&self.base, Failure::Token);
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(refused)?;
        authorization.set_sensitive(true);
        Ok(Self { authorization: Some(authorization), ..self })
    }

    /// One page of the members of a kind.
    ///
    /// # Errors
    /// If the registry cannot be reached, refuses, or answers something else than a page.
    pub async fn members(&self, kind: &Kind, query: &MembersQuery) -> Result<MembersPage, ClientError> {
        self.get(&routes::members(kind), &query.pairs()).await
    }

    /// All pages of the members of a kind. The query's `limit` is that of one page.
    ///
    /// # Errors
    /// If the registry cannot be reached, refuses, or answers something else than pages.
    pub async fn all_members(&self, kind: &Kind, query: &MembersQuery) -> Result<Vec<MemberView>, ClientError> {
        let mut query = MembersQuery { limit: query.limit.or(Some(MembersQuery::MAX_LIMIT)), ..query.clone() };
        let mut members = Vec::new();
        loop {
            let page = self.members(kind, &query).await?;
            members.extend(page.members);
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(members),
            }
        }
    }

    /// One member.
    ///
    /// # Errors
    /// If it is not known ([`ClientError::is_not_found`]), or the registry cannot be reached or refuses.
    pub async fn member(&self, kind: &Kind, id: &MemberId) -> Result<MemberView, ClientError> {
        self.get(&routes::member(kind, id), &[]).await
    }

    /// The recent beats of a member, oldest first.
    ///
    /// # Errors
    /// If it is not known, or the registry cannot be reached or refuses.
    pub async fn history(&self, kind: &Kind, id: &MemberId, query: &HistoryQuery) -> Result<HistoryPage, ClientError> {
        self.get(&routes::history(kind, id), &query.pairs()).await
    }

    /// Why a member is in its state, and what happens next.
    ///
    /// # Errors
    /// If it is not known, or the registry cannot be reached or refuses.
    pub async fn explain(&self, kind: &Kind, id: &MemberId) -> Result<Explanation, ClientError> {
        self.get(&routes::explain(kind, id), &[]).await
    }

    /// Replaces the policy of a member, or starts to monitor it before its first beat; returns what it is judged by now.
    ///
    /// # Errors
    /// If the policy is not valid, there is no room for the member, or the registry cannot be reached or refuses.
    pub async fn set_policy(&self, kind: &Kind, id: &MemberId, policy: &Policy) -> Result<ResolvedPolicy, ClientError> {
        self.send(Method::PUT, &routes::policy(kind, id), policy, decoded).await
    }

    /// Asks a member for something.
    ///
    /// # Errors
    /// If the member is not known, has failed or left, or the registry cannot be reached or refuses.
    pub async fn ask(&self, kind: &Kind, id: &MemberId, directive: Directive) -> Result<AskedDirective, ClientError> {
        self.send(Method::POST, &routes::directives(kind, id), &DirectiveRequest { directive }, decoded).await
    }

    /// Takes back what was asked of a member.
    ///
    /// # Errors
    /// If the member is not known or was not asked, or the registry cannot be reached or refuses.
    pub async fn withdraw(&self, kind: &Kind, id: &MemberId, directive: Directive) -> Result<(), ClientError> {
        self.send(Method::DELETE, &routes::directives(kind, id), &DirectiveRequest { directive }, nothing).await
    }

    /// Forgets a member. If it beats again, it is a new one.
    ///
    /// # Errors
    /// If it is not known, or the registry cannot be reached or refuses.
    pub async fn forget(&self, kind: &Kind, id: &MemberId) -> Result<(), ClientError> {
        let url = self.url(&routes::member(kind, id), &[]);
        let answer = read(self.request(Method::DELETE, &url)).await;
        answer.map(drop).map_err(|failure| ClientError::new(&url, failure))
    }

    /// Where the guard against mass silence holds members just now.
    ///
    /// # Errors
    /// If the registry cannot be reached or refuses.
    pub async fn protections(&self) -> Result<ProtectionsPage, ClientError> {
        self.get(routes::PROTECTION, &[]).await
    }

    /// Ends a protection, of a zone or of `_all`, since its hosts are really lost; returns what it was.
    ///
    /// # Errors
    /// If there is none, or the registry cannot be reached or refuses.
    pub async fn confirm_protection(&self, zone: &str) -> Result<ProtectionView, ClientError> {
        self.send(Method::POST, &routes::confirm_protection(&escaped(zone)), &(), decoded).await
    }

    /// Ends a protection as if its time were over; returns what it was.
    ///
    /// # Errors
    /// If there is none, or the registry cannot be reached or refuses.
    pub async fn release_protection(&self, zone: &str) -> Result<ProtectionView, ClientError> {
        self.send(Method::POST, &routes::release_protection(&escaped(zone)), &(), decoded).await
    }

    /// What the registry knows of itself.
    ///
    /// # Errors
    /// If the registry cannot be reached or refuses.
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.get(routes::STATS, &[]).await
    }

    /// At most `limit` events (up to 1,000) after one, oldest first; without one, from the oldest kept.
    ///
    /// # Errors
    /// If the registry cannot be reached or refuses.
    pub async fn events(&self, since: Option<&EventId>, limit: usize) -> Result<EventsPage, ClientError> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(since.map(|since| ("since", since.to_string())));
        self.get(routes::EVENTS, &query).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, ClientError> {
        let url = self.url(path, query);
        let answer = read(self.request(Method::GET, &url)).await;
        answer.and_then(|body| decoded(&body)).map_err(|failure| ClientError::new(&url, failure))
    }

    async fn send<T>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, ClientError> {
        let url = self.url(path, &[]);
        let refused = |failure| ClientError::new(&url, failure);
        let json = serde_json::to_vec(body).map_err(|error| refused(Failure::Unwritable(error)))?;
        let request = self.request(method, &url).header(CONTENT_TYPE, "application/json").body(json);
        read(request).await.and_then(|body| decode(&body)).map_err(refused)
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> String {
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            url.push('?');
            url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        }
        url
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }
}

/// What may be shown of a text that was refused as a URL: whatever stands before an `@` may be a password.
fn without_credentials(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}

/// Sends a request and reads what it is answered, if that is a success.
async fn read(request: RequestBuilder) -> Result<Vec<u8>, Failure> {
    read_answer(request.send().await.map_err(lost)?).await
}

async fn read_answer(mut response: Response) -> Result<Vec<u8>, Failure> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    let problem = serde_json::from_slice::<Problem>(&body).ok().map(Box::new);
    Err(Failure::Status { status: status.as_u16(), problem })
}

/// A name as a segment of a path.
fn escaped(segment: &str) -> String {
    form_urlencoded::byte_serialize(segment.as_bytes()).collect()
}

fn nothing(_: &[u8]) -> Result<(), Failure> {
    Ok(())
}

fn decoded<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(Failure::Answer)
}

/// The error is told with the URL already.
fn lost(error: reqwest::Error) -> Failure {
    Failure::Transport(error.without_url())
}
