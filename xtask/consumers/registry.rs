//! Serves the routes of a registry, and beats to them.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

use heartbeat_registry::contract::{HealthState, MemberId};
use heartbeat_registry::http::{self, ServeConfig};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(FleetConfig::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let beating = tokio::task::spawn_blocking(move || beat(TcpStream::connect(address)?));
    tokio::select! {
        () = http::serve(listener, http::router(&fleet), ServeConfig::default(), std::future::pending()) => {}
        answer = beating => {
            let answer = answer??;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    assert_eq!(WorkerRegistry::new(&fleet).health(&MemberId::new("worker-123")?)?, HealthState::Healthy);
    Ok(())
}

fn beat(mut connection: TcpStream) -> std::io::Result<String> {
    let beat = r#"{"worker_id": "worker-123", "status": "busy"}"#;
    let (path, length) = ("/v1/worker-heartbeat", beat.len());
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{beat}"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
