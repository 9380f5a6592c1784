//! The queen as a process.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::programs::Program;
use crate::transcript::Command;

/// What a path answers, with its head.
async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_queen_has_its_own_page_beside_the_registry_and_ends_at_ctrl_c() {
    let mut queen = Program::start(&Command::of("cargo run -p examples --bin queen"));
    let address = queen.line(|line| line.strip_prefix("listening on http://").map(str::to_owned)).await;
    assert!(get(&address, "/").await.ends_with("0 workers and 0 hives online\n"));
    for path in ["/v1/workers", "/v1/hives", "/readyz"] {
        assert!(get(&address, path).await.starts_with("HTTP/1.1 200 "), "{path}");
    }
    assert!(get(&address, "/v1/jobs").await.starts_with("HTTP/1.1 404 "));

    queen.interrupt();
    let end = queen.end().await;
    assert!(end.success);
    assert_eq!(end.lines.last().map(String::as_str), Some("stopped"));
}
