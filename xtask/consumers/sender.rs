//! Beats over HTTP to a registry of a few lines.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use heartbeat_sender::{Outcome, WorkerHeartbeatConfig, start_worker_heartbeat_task};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let heartbeat = start_worker_heartbeat_task(WorkerHeartbeatConfig::new("worker-123", url))?;
    let request = acknowledge_one(&listener)?;
    assert!(request.starts_with("POST /v1/worker-heartbeat HTTP/1.1\r\n"), "{request}");
    for _ in 0..3_000 {
        match heartbeat.outcomes().latest() {
            Outcome::Pending => std::thread::sleep(Duration::from_millis(10)),
            Outcome::Acknowledged { seq: 0, .. } => return Ok(()),
            other => return Err(format!("{other:?}").into()),
        }
    }
    Err("an acknowledged beat has no outcome within half a minute".into())
}

fn acknowledge_one(listener: &TcpListener) -> std::io::Result<String> {
    let (mut connection, _) = listener.accept()?;
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut more = [0; 4096];
        let count = connection.read(&mut more)?;
        request.extend_from_slice(&more[..count]);
        if count == 0 {
            break;
        }
    }
    let ack = r#"{"acknowledged":true,"server_time":"2026-01-02T03:04:05Z","next_in_ms":30000}"#;
    write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ack}", ack.len())?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}
