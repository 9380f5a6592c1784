//! The binary sends alerts to a real Alertmanager and a webhook, and says what became of them.

use std::process::Output;

use super::about;
use super::program::Program;
use super::receiver::Receiver;
use crate::token_commands::{Registry, command};
use crate::token_files::Folder;

/// A beat of a worker that fails after a second and a quarter of silence, unless it declares another interval.
fn beat(interval_ms: u32) -> Vec<u8> {
    format!(r#"{{"worker_id": "w1", "beat": {{"interval_ms": {interval_ms}}}}}"#).into_bytes()
}

async fn run(args: &[&str]) -> Output {
    let mut command = command(args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_worker_that_fails_fires_in_alertmanager_and_is_resolved_when_it_beats_again() {
    let Some(program) = Program::start().await else { return };
    let mut receiver = Receiver::start([]).await;
    let folder = Folder::new();
    let file = folder.path("alerts.toml");
    std::fs::write(&file, format!("[[alertmanager]]\nname = \"am\"\nurl = {:?}\nids = [\"w?\"]\n", program.url))
        .unwrap();
    let flags = ["--alerts", file.to_str().unwrap(), "--webhook", &receiver.url, "--public-url", "http://queen:8500"];
    let registry = Registry::start(&flags);
    let mut connection = registry.connect().await;
    assert_eq!(connection.post("/v1/worker-heartbeat", &beat(400)).await.status, 200);
    let firing = program.until_active(&["MemberFailed w1"]).await;
    assert_eq!(firing[0]["generatorURL"], "http://queen:8500");
    assert_eq!(firing[0]["labels"]["kind"], "worker");
    assert_eq!(about(&receiver.next().await), "w1 firing");
    // By an interval so long that it stays well until it is looked at.
    assert_eq!(registry.connect().await.post("/v1/worker-heartbeat", &beat(60_000)).await.status, 200);
    program.until_active(&[]).await;
    assert_eq!(about(&receiver.next().await), "w1 resolved");

    let stats = run(&["stats", "--registry", &registry.url()]).await;
    let table = String::from_utf8(stats.stdout).unwrap();
    let row = |name: &str| table.lines().find(|line| line.trim_start().starts_with(name)).expect(&table).to_owned();
    assert!(row("ALERTS TO").contains("DROPPED"));
    let (alertmanager, webhook) = (row("am "), row("webhook 127.0.0.1:"));
    for row in [alertmanager, webhook] {
        assert!(row.contains(" 0 ") && row.contains('Z'), "{row}");
    }
}

#[tokio::test]
async fn an_alerts_file_that_is_wrong_is_refused_before_anything_listens() {
    let folder = Folder::new();
    let file = folder.path("alerts.toml");
    let path = file.to_str().unwrap();
    let refused = async |args: &[&str], expected: &str| {
        let ended = run(&[["serve", "--listen", "127.0.0.1:0"].as_slice(), args].concat()).await;
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("listening") && !stderr.contains("secret"), "{stderr}");
    };
    refused(&["--alerts", path], &format!("the alerts file {path}: No such file")).await;
    std::fs::write(&file, "[[webhook]]\nurl = \"http://u:secret@host\"\nstate = [\"failed\"]\n").unwrap();
    refused(&["--alerts", path], &format!("{path}:3:1: webhook.state: unknown, expected one of url")).await;
    std::fs::write(&file, "[[webhook]]\nurl = \"http://u:secret@host\n").unwrap();
    refused(&["--alerts", path], &format!("{path}:2:")).await;
    refused(&["--webhook", "ftp://u:secret@host"], "--webhook: url: expected http://HOST").await;
    refused(&["--public-url", "queen"], "--public-url: registry_url: expected http://HOST").await;
}
