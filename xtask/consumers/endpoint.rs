//! Answers for its own health in an axum app.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use daemon_lifecycle::{Health, Phase};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let health = Health::new();
    let app: axum::Router = axum::Router::new().merge(health.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    for (phase, status) in [(Phase::Starting, "503"), (Phase::Serving, "200"), (Phase::Draining, "503")] {
        health.set_phase(phase);
        let answer = tokio::task::spawn_blocking(move || ask(address)).await??;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{phase}: {answer}");
    }
    Ok(())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    write!(connection, "GET /readyz HTTP/1.1\r\nhost: daemon\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
