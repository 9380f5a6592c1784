//! From a question to what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{ClientBuilder, Response, StatusCode, header::LOCATION, redirect::Policy};
use tower::util::MapResponseLayer;

use super::{
    admit::{self, Admits},
    classify::classify,
    error::{ProbeError, ProbeFailure},
    target::Target,
};

/// What is read of an answer, so that a daemon does not see its connection break over an ordinary body.
const BODY_LIMIT: usize = 64 * 1024;
/// What of a body goes into an error.
const EXCERPT_LIMIT: usize = 200;

/// Asks once and returns the status, which is any of 2xx.
pub(super) async fn exchange(target: &Target, timeout: Duration, admits: Option<&Admits>) -> Result<u16, ProbeError> {
    exchange_with(target, timeout, admits, client(timeout)).await
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

async fn exchange_with(
    target: &Target,
    timeout: Duration,
    admits: Option<&Admits>,
    client: ClientBuilder,
) -> Result<u16, ProbeError> {
    let connected = Arc::new(AtomicBool::new(false));
    let client = client.connector_layer(MapResponseLayer::new({
        let connected = Arc::clone(&connected);
        move |connection| {
            connected.store(true, Ordering::Relaxed);
            connection
        }
    }));
    match tokio::time::timeout(timeout, ask(target, admits, client)).await {
        Ok(outcome) => outcome,
        Err(elapsed) => {
            let taken = connected.load(Ordering::Relaxed);
            let kind = if taken { ProbeFailure::Timeout } else { ProbeFailure::ConnectTimeout };
            Err(ProbeError::new(target, kind).with_source(elapsed))
        }
    }
}

async fn ask(target: &Target, admits: Option<&Admits>, client: ClientBuilder) -> Result<u16, ProbeError> {
    let client = match admits {
        Some(admits) => client.dns_resolver(admit::resolve(target, admits).await?),
        None => client,
    };
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

fn judge(target: &Target, response: &Response, body: &[u8]) -> Result<u16, ProbeError> {
    let status = response.status();
    if status.is_success() {
        return Ok(status.as_u16());
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
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
        thread::JoinHandle,
        time::Duration,
    };

    use reqwest::dns::{Name, Resolve, Resolving};

    use super::{ProbeFailure, Target, client, excerpt, exchange_with};

    #[test]
    fn an_excerpt_is_one_short_line_without_control_characters() {
        assert_eq!(excerpt(b" failed:\r\n\x1b[31mstore\0 \n"), "failed: [31mstore");
        assert_eq!(excerpt(&[b'x'; 5000]).len(), 200);
        assert_eq!(excerpt(b""), "");
    }

    /// Answers one request on a free port of 127.0.0.1.
    fn serve_once() -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).expect("a request") > 0);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).expect("an open connection");
        });
        (port, server)
    }

    #[tokio::test]
    async fn localhost_resolving_to_v6_first_works_against_v4_only() {
        let (port, server) = serve_once();
        let addresses: [SocketAddr; 2] = [(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()];
        let target = Target::parse(&format!("http://both.test:{port}"), None).expect("a URL");
        let timeout = Duration::from_secs(20);
        let client = client(timeout).resolve_to_addrs("both.test", &addresses);
        exchange_with(&target, timeout, None, client).await.expect("the v4 address answers");
        server.join().expect("the server saw one request");
    }

    /// What a name leads to the second time.
    struct Moved;

    impl Resolve for Moved {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(async { Err("the name leads elsewhere by now".into()) })
        }
    }

    #[tokio::test]
    async fn a_name_is_not_resolved_again_once_its_addresses_are_admitted() {
        let (port, server) = serve_once();
        let target = Target::parse(&format!("http://localhost:{port}"), None).expect("a URL");
        let timeout = Duration::from_secs(20);
        let admits = |address: IpAddr| address == Ipv4Addr::LOCALHOST;
        let moved = || client(timeout).dns_resolver(Moved);
        exchange_with(&target, timeout, Some(&admits), moved()).await.expect("the admitted address answers");
        server.join().expect("the server saw one request");
        let error = exchange_with(&target, timeout, None, moved()).await.expect_err("this one resolves again");
        assert_eq!(error.kind(), ProbeFailure::Dns);
    }
}
