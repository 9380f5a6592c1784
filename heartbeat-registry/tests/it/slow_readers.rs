//! Readers that take their time, over a connection of which nothing but the test decides when it is read.

use std::io;
use std::time::Duration;

use axum::routing::get;
use axum::serve::Listener;
use heartbeat_registry::http::{ServeConfig, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Accepts one connection, and no other.
struct One(Option<DuplexStream>);

impl Listener for One {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(connection) => (connection, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_slowly_is_read_to_its_end_before_the_connection_is_idle() {
    const ANSWER: usize = 100 * 1024;
    let (mut peer, connection) = duplex(1024);
    let app = axum::Router::new().route("/", get(async || "x".repeat(ANSWER)));
    let config = ServeConfig {
        idle_timeout: Duration::from_millis(500),
        write_timeout: Duration::from_secs(1),
        ..ServeConfig::default()
    };
    let served = tokio::spawn(serve(One(Some(connection)), app, config, std::future::pending()));
    peer.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let (mut read, mut some) = (0, [0; 1024]);
    while read < ANSWER {
        tokio::time::sleep(Duration::from_millis(400)).await;
        match peer.read(&mut some).await.unwrap() {
            0 => panic!("it was cut after {read} bytes"),
            more => read += more,
        }
    }
    let left = tokio::time::timeout(Duration::from_millis(3_000), peer.read_to_end(&mut Vec::new())).await;
    assert!(left.is_ok(), "it ends once it is idle");
    served.abort();
}
