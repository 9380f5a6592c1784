//! One question to one daemon.

mod classify;
mod error;
mod target;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{ClientBuilder, Response, StatusCode, header::LOCATION, redirect::Policy};
use tower::util::MapResponseLayer;

pub(crate) use self::{
    classify::classify,
    target::{Target, shown},
};
pub use self::{
    error::{ProbeError, ProbeFailure},
    target::UrlError,
};

/// How long one probe may take where nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// What is read of an answer, so that a daemon does not see its connection break over an ordinary body.
const BODY_LIMIT: usize = 64 * 1024;
/// What of a body goes into an error.
const EXCERPT_LIMIT: usize = 200;

/// Asks once whether the daemon at `url` is healthy, which is any 2xx answer.
///
/// `path` replaces the path of `url`; with `None` the URL's own path is asked, or `/health` where it has none.
/// `timeout` bounds the whole exchange, from name resolution to the end of the body (`None` = 2 s).
///
/// Every address of the host is tried. Redirects are not followed, proxies from the environment are not used, at
/// most 64 KiB of the body are read, and each probe makes a connection of its own.
///
/// # Errors
///
/// [`ProbeError`], whose [`kind`](ProbeError::kind) says what stood in the way.
///
/// # Cancel safety
///
/// Dropping the future closes the connection; nothing else is left behind.
///
/// # Examples
///
/// ```no_run
/// use daemon_lifecycle::{ProbeFailure, is_daemon_healthy};
///
/// # async fn doubt() {
/// match is_daemon_healthy("http://127.0.0.1:8500", Some("/livez"), None).await {
///     Ok(()) => println!("alive"),
///     Err(error) if error.kind() == ProbeFailure::Refused => println!("not running"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
pub async fn is_daemon_healthy(url: &str, path: Option<&str>, timeout: Option<Duration>) -> Result<(), ProbeError> {
    let target = Target::parse(url, path)?;
    probe(&target, timeout.unwrap_or(DEFAULT_TIMEOUT)).await
}

pub(crate) async fn probe(target: &Target, timeout: Duration) -> Result<(), ProbeError> {
    probe_with(target, timeout, client(timeout)).await
}

/// A connection of its own per probe: a pooled one may be just closing, which would look like a failure.
fn client(timeout: Duration) -> ClientBuilder {
    ClientBuilder::new()
        .user_agent(concat!("daemon-lifecycle/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        // Shared out among the addresses of a host, so that the last is tried even if the first is a black hole.
        .connect_timeout(timeout)
}

async fn probe_with(target: &Target, timeout: Duration, client: ClientBuilder) -> Result<(), ProbeError> {
    let connected = Arc::new(AtomicBool::new(false));
    let client = client.connector_layer(MapResponseLayer::new({
        let connected = Arc::clone(&connected);
        move |connection| {
            connected.store(true, Ordering::Relaxed);
            connection
        }
    }));
    match tokio::time::timeout(timeout, exchange(target, client)).await {
        Ok(outcome) => outcome,
        Err(elapsed) => {
            let taken = connected.load(Ordering::Relaxed);
            let kind = if taken { ProbeFailure::Timeout } else { ProbeFailure::ConnectTimeout };
            Err(ProbeError::new(target, kind).with_source(elapsed))
        }
    }
}

async fn exchange(target: &Target, client: ClientBuilder) -> Result<(), ProbeError> {
    let failed =
        |error: reqwest::Error| ProbeError::new(target, classify(target, &error)).with_source(error.without_url());
    let client = client.build().map_err(failed)?;
    let mut response = client.get(target.url.clone()).send().await.map_err(failed)?;
    let body = read_body(&mut response).await.map_err(failed)?;
    judge(target, &response, &body)
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == BODY_LIMIT {
            break;
        }
    }
    Ok(body)
}

fn judge(target: &Target, response: &Response, body: &[u8]) -> Result<(), ProbeError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        let location = response.headers().get(LOCATION);
        let location =
            location.map_or_else(|| "without location".to_owned(), |to| format!("to {}", excerpt(to.as_bytes())));
        let kind = ProbeFailure::Redirect(status.as_u16());
        return Err(ProbeError::new(target, kind).with_detail(location));
    }
    Err(ProbeError::new(target, ProbeFailure::Status(status.as_u16())).with_detail(excerpt(body)))
}

/// The beginning of what a stranger sent, fit for one line of a log.
fn excerpt(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_LIMIT)]);
    let printable = head.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = printable.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
        time::Duration,
    };

    use super::{Target, client, excerpt, probe_with};

    #[test]
    fn an_excerpt_is_one_short_line_without_control_characters() {
        assert_eq!(excerpt(b" failed:\r\n\x1b[31mstore\0 \n"), "failed: [31mstore");
        assert_eq!(excerpt(&[b'x'; 5000]).len(), 200);
        assert_eq!(excerpt(b""), "");
    }

    #[tokio::test]
    async fn localhost_resolving_to_v6_first_works_against_v4_only() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).expect("a request") > 0);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).expect("an open connection");
        });
        let addresses: [SocketAddr; 2] = [(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()];
        let target = Target::parse(&format!("http://both.test:{port}"), None).expect("a URL");
        let timeout = Duration::from_secs(20);
        let client = client(timeout).resolve_to_addrs("both.test", &addresses);
        probe_with(&target, timeout, client).await.expect("the v4 address answers");
        server.join().expect("the server saw one request");
    }
}
