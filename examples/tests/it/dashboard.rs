//! The dashboard without a registry; what it shows of one is in the index.

use tokio::net::TcpListener;

use crate::programs::Program;
use crate::transcript::Command;

#[tokio::test]
async fn a_dashboard_that_reaches_no_registry_says_so_each_time_and_fails() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let command = format!("cargo run -p examples --bin dashboard -- --registry http://{closed} --every 10ms --times 2");
    let end = Program::start(&Command::of(&command)).end().await;
    assert!(!end.success);
    let error = format!("error: http://{closed}/v1/stats cannot be reached");
    assert_eq!(end.lines, [error.clone(), error]);
}

#[tokio::test]
async fn a_dashboard_that_is_given_no_url_fails_at_once() {
    let end = Program::start(&Command::of("cargo run -p examples --bin dashboard -- --registry here")).end().await;
    assert!(!end.success);
    assert!(end.lines[0].starts_with("error: \"here\" is no registry's URL"), "{:?}", end.lines);
}
