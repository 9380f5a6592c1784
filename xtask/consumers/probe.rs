//! Waits for a daemon that answers only the second time it is asked.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;

use daemon_lifecycle::{HealthPollConfig, is_daemon_healthy, poll_until_healthy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let daemon = std::thread::spawn(move || {
        ["503 Service Unavailable", "200 OK", "200 OK"].iter().try_for_each(|status| answer(&listener, status))
    });
    let poll = HealthPollConfig { url: url.clone(), max_attempts: 5, initial_delay_ms: 1, backoff_multiplier: 1.5 };
    assert_eq!(poll_until_healthy(poll).await?.attempts, 2);
    is_daemon_healthy(&url, Some("/livez"), None).await?;
    daemon.join().map_err(|_| "the daemon has panicked")??;
    Ok(())
}

fn answer(listener: &TcpListener, status: &str) -> std::io::Result<()> {
    let (mut connection, _) = listener.accept()?;
    let mut request = [0; 4096];
    let _length = connection.read(&mut request)?;
    write!(connection, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
