//! Whom a request is addressed to: a registry that asks for no token must not be reached from web pages.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use heartbeat_contract::{Problem, ProblemType};

use super::respond::refuse;

/// The names under which a registry may be addressed.
///
/// A registry on a loopback address that asks for no token is open to all programs of its machine, browsers among them. A
/// web page may point a name of its own at 127.0.0.1 and then read and change what it likes; but its requests are
/// addressed to that name. So those addressed to any other name than `localhost`, an address of 127.0.0.0/8 or `::1`, or
/// one that was [allowed](Self::allow), get 403, as do those that would change something and come, by their `Origin`,
/// from a page of somebody else.
///
/// ```
/// use heartbeat_registry::http::{self, Hosts};
/// use heartbeat_registry::{Fleet, FleetConfig};
///
/// let fleet = Fleet::start(FleetConfig::default())?;
/// let app: axum::Router = Hosts::loopback().guard(http::router(&fleet));
/// # Ok::<(), heartbeat_registry::StartError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Hosts {
    allowed: Vec<Host>,
}

/// The name or address of a host, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

/// Why a text is no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: a name or an address (IPv6 in brackets), without scheme, port and path")]
pub struct InvalidHost(String);

impl Hosts {
    /// The names and addresses by which a machine reaches itself.
    pub fn loopback() -> Self {
        Self { allowed: Vec::new() }
    }

    /// Allows another name, such as one that a proxy on this machine passes on.
    pub fn allow(mut self, host: Host) -> Self {
        self.allowed.push(host);
        self
    }

    /// Puts the check before all routes of an app, and its fallback.
    pub fn guard<S: Clone + Send + Sync + 'static>(self, app: Router<S>) -> Router<S> {
        app.layer(middleware::from_fn_with_state(Arc::new(self), check))
    }

    fn problem_with(&self, request: &Request) -> Option<Problem> {
        let hosts = match addressed(request.uri(), request.headers()) {
            Ok(hosts) => hosts,
            Err(problem) => return Some(problem),
        };
        if let Some(stranger) = hosts.iter().find(|host| !self.include(host)) {
            return Some(forbidden(format_args!(
                "{stranger} is none of the names of this registry (serve --allow-host adds one)"
            )));
        }
        if request.method().is_safe() {
            return None;
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let stranger = origins.find(|origin| !self.is_own(origin, &hosts))?;
        Some(forbidden(format_args!("a page of {stranger:?} may change nothing here")))
    }

    fn include(&self, host: &Authority) -> bool {
        let host = Host::of(host);
        host.is_loopback() || self.allowed.contains(&host)
    }

    /// Whether a page comes from where its request goes to, or from a name that was allowed. One on another port of this
    /// machine does not.
    fn is_own(&self, origin: &HeaderValue, hosts: &[Authority]) -> bool {
        let page =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).and_then(|(_, page)| authority(page));
        page.is_some_and(|page| hosts.contains(&page) || self.allowed.contains(&Host::of(&page)))
    }
}

async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    match hosts.problem_with(&request) {
        None => next.run(request).await,
        Some(problem) => refuse(request.into_body(), problem).await.into_response(),
    }
}

/// All that a request names as the one it is for: in its target, if that is absolute, and in its `Host`.
fn addressed(uri: &Uri, headers: &HeaderMap) -> Result<Vec<Authority>, Problem> {
    let in_header = |value: &HeaderValue| {
        let host = value.to_str().ok().and_then(authority);
        host.ok_or_else(|| forbidden(format_args!("{value:?} is no host")))
    };
    let in_headers = headers.get_all(HOST).iter().map(in_header);
    let hosts = uri.authority().cloned().map(Ok).into_iter().chain(in_headers).collect::<Result<Vec<_>, _>>()?;
    if hosts.is_empty() {
        return Err(forbidden(format_args!("the request does not say which host it is for")));
    }
    Ok(hosts)
}

/// Reads `HOST` or `HOST:PORT`.
fn authority(text: &str) -> Option<Authority> {
    let is_port = |text: &str| text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let authority: Authority = text.parse().ok()?;
    let rest = text.strip_prefix(authority.host())?;
    (rest.is_empty() || is_port(rest)).then_some(authority)
}

fn forbidden(detail: fmt::Arguments<'_>) -> Problem {
    Problem::new(ProblemType::Forbidden, detail.to_string())
}

impl Host {
    fn of(authority: &Authority) -> Self {
        let name = authority.host().to_ascii_lowercase();
        Self(name.strip_suffix('.').map_or(name.clone(), str::to_owned))
    }

    fn is_loopback(&self) -> bool {
        let address = self.0.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.0);
        self.0 == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let authority = authority(text).filter(|authority| authority.host() == authority.as_str());
        authority.map(|authority| Self::of(&authority)).ok_or_else(|| InvalidHost(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn refused(hosts: &Hosts, method: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        hosts.problem_with(&request.body(Body::empty()).unwrap()).is_some()
    }

    #[test]
    fn loopback_is_addressed_by_its_names_alone() {
        let hosts = Hosts::loopback();
        for host in [
            "localhost",
            "LocalHost:8500",
            "localhost.",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:8500",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!refused(&hosts, "GET", "/", &[("host", host)]), "{host}");
        }
        for host in [
            "rebound.example",
            "localhost.rebound.example",
            "127.0.0.1.rebound.example:8500",
            "0.0.0.0:8500",
            "[::]",
            "10.0.0.1",
            "[fe80::1]",
            "x@localhost",
            "",
            "a b",
            "localhost:x",
            "localhost/",
        ] {
            assert!(refused(&hosts, "GET", "/", &[("host", host)]), "{host}");
        }
        assert!(refused(&hosts, "GET", "/", &[]), "no host at all");
    }

    #[test]
    fn all_that_a_request_names_as_its_host_counts() {
        let hosts = Hosts::loopback();
        let own = ("host", "localhost");
        assert!(!refused(&hosts, "GET", "http://127.0.0.1/", &[own]));
        assert!(refused(&hosts, "GET", "http://rebound.example/", &[own]));
        assert!(refused(&hosts, "GET", "http://127.0.0.1/", &[("host", "rebound.example")]));
        assert!(refused(&hosts, "GET", "/", &[own, ("host", "rebound.example")]));
    }

    #[test]
    fn other_names_can_be_allowed() {
        let hosts = Hosts::loopback().allow("Queen.example.".parse().unwrap());
        assert!(!refused(&hosts, "GET", "/", &[("host", "queen.example:80")]));
        assert!(refused(&hosts, "GET", "/", &[("host", "drone.example")]));
        for text in ["", "queen.example:80", "http://queen.example", "queen.example/x", "x@queen.example", "::1"] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
        assert!("[::1]".parse::<Host>().is_ok());
    }

    #[test]
    fn pages_of_others_change_nothing() {
        let hosts = Hosts::loopback().allow("queen.example".parse().unwrap());
        let own = ("host", "127.0.0.1:8500");
        for origin in ["http://127.0.0.1:8500", "https://queen.example"] {
            assert!(!refused(&hosts, "POST", "/", &[own, ("origin", origin)]), "{origin}");
        }
        for origin in ["http://rebound.example", "http://127.0.0.1:3000", "http://127.0.0.1", "null", ""] {
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                assert!(refused(&hosts, method, "/", &[own, ("origin", origin)]), "{method} {origin}");
            }
            assert!(!refused(&hosts, "GET", "/", &[own, ("origin", origin)]), "it cannot read the answer: {origin}");
        }
    }
}
