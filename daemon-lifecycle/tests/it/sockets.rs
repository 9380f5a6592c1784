//! Probes that connect, and no more; and HTTP over what has no port.

use std::{path::PathBuf, time::Duration};

use daemon_lifecycle::{Probe, ProbeError, ProbeFailure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use crate::{
    folder::Folder,
    server::{Refusing, status},
};

async fn ask(url: &str) -> Result<Option<u16>, ProbeError> {
    let probe = Probe::new(url).expect("a usable URL").timeout(Duration::from_secs(30));
    probe.ask().await.map(|answer| answer.status)
}

async fn failure(url: &str) -> ProbeFailure {
    ask(url).await.expect_err("nobody is there").kind()
}

fn socket_in(folder: &Folder) -> (PathBuf, String) {
    let path = folder.path().join("d.sock");
    let encoded = path.to_str().expect("a readable path").replace('/', "%2F");
    (path, encoded)
}

#[tokio::test]
async fn a_tcp_port_is_healthy_once_somebody_takes_the_connection() {
    let refusing = Refusing::new();
    assert_eq!(failure(&format!("tcp://{}", refusing.address)).await, ProbeFailure::Refused);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    assert_eq!(ask(&format!("tcp://localhost:{port}")).await.expect("it listens"), None);
}

#[tokio::test]
async fn a_unix_socket_is_healthy_once_somebody_takes_the_connection() {
    let folder = Folder::new("connect");
    let (path, _) = socket_in(&folder);
    let url = format!("unix://{}", path.display());
    let error = ask(&url).await.expect_err("there is no socket yet");
    assert_eq!(error.kind(), ProbeFailure::Refused);
    assert_eq!(error.to_string(), format!("{url}: connection refused (there is no socket at this path)"));
    let listener = UnixListener::bind(&path).expect("a new socket");
    assert_eq!(ask(&url).await.expect("it listens"), None);
    drop(listener);
    assert_eq!(failure(&url).await, ProbeFailure::Refused, "nobody listens any more");
}

#[tokio::test]
async fn http_is_spoken_over_a_unix_socket_too() {
    let folder = Folder::new("http");
    let (path, encoded) = socket_in(&folder);
    let listener = UnixListener::bind(&path).expect("a new socket");
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in [status("503 Service Unavailable", "loading"), status("200 OK", "ok")] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("a request");
            asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
            stream.write_all(&answer).await.expect("an open connection");
        }
        asked
    });
    let url = format!("http+unix://{encoded}/readyz?x");
    let error = ask(&url).await.expect_err("still loading");
    assert_eq!((error.kind(), error.detail()), (ProbeFailure::Status(503), Some("loading")));
    assert_eq!(ask(&format!("http+unix://{encoded}")).await.expect("healthy"), Some(200));
    let asked = serving.await.expect("two requests");
    assert!(asked[0].starts_with("GET /readyz?x HTTP/1.1\r\nhost: localhost\r\n"), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /health HTTP/1.1\r\n"), "{}", asked[1]);
}

#[tokio::test]
async fn what_has_no_address_is_never_admitted() {
    let folder = Folder::new("admitted");
    let (path, encoded) = socket_in(&folder);
    let listener = UnixListener::bind(&path).expect("a new socket");
    for url in [format!("unix://{}", path.display()), format!("http+unix://{encoded}")] {
        let probe = Probe::new(&url).expect("a usable URL").only_to(|_| true);
        let error = probe.ask().await.expect_err("a stranger's URL is not to reach into this machine");
        assert_eq!(error.kind(), ProbeFailure::NotAdmitted, "{url}");
    }
    let untouched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(untouched.is_err(), "nobody connected");
}
