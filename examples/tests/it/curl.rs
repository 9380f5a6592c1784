//! Payload files, sent by the real curl.

use std::io::{self, Write};
use std::path::Path;
use std::process::Output;

use heartbeat_contract::{Kind, routes};
use heartbeat_registry::MembersQuery;
use tokio::process::Command;

use crate::real_registry::RealRegistry;

/// What curl exits with when it does not know an option.
const UNKNOWN_OPTION: i32 = 2;

#[tokio::test]
async fn every_payload_file_registers_its_member_with_a_fresh_registry() {
    if !is_installed().await {
        // Not println, which the test harness would swallow.
        writeln!(io::stdout(), "skipped: curl not found (cargo xtask setup)").unwrap();
        return;
    }
    for (file, kind) in [
        ("worker_minimal.json", Kind::WORKER),
        ("worker_rich.json", Kind::WORKER),
        ("worker_full.json", Kind::WORKER),
        ("hive_minimal.json", Kind::HIVE),
        ("hive_stats.json", Kind::HIVE),
    ] {
        let registry = RealRegistry::start().await;
        let answer = post(file, &format!("{}{}", registry.url, routes::beat(&kind))).await;
        assert!(answer.status.success(), "{file}: {answer:?}");
        assert!(answer.stdout.ends_with(b" 200"), "{file}: {answer:?}");
        let members = registry.client.all_members(&kind, &MembersQuery::default()).await.unwrap();
        let ids: Vec<&str> = members.iter().map(|view| view.id.as_str()).collect();
        assert_eq!(ids, [id_in(file)], "{file}");
        registry.stop().await;
    }
}

async fn is_installed() -> bool {
    match Command::new("curl").arg("--version").output().await {
        Ok(answer) => answer.status.success(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => panic!("curl cannot be run: {error}"),
    }
}

/// As `curl --json @FILE URL`; older versions have to be told the type of the content.
async fn post(file: &str, url: &str) -> Output {
    let at_path = format!("@{}", path(file).display());
    let curl = async |how: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--noproxy", "*", "--write-out", " %{http_code}"]);
        command.args(how).arg(url).output().await.unwrap()
    };
    let answer = curl(&["--json", &at_path]).await;
    if answer.status.code() == Some(UNKNOWN_OPTION) {
        return curl(&["--header", "content-type: application/json", "--data", &at_path]).await;
    }
    answer
}

fn id_in(file: &str) -> String {
    let payload: serde_json::Value = serde_json::from_slice(&std::fs::read(path(file)).unwrap()).unwrap();
    let id = payload["worker_id"].as_str().or(payload["hive_id"].as_str());
    id.expect("every payload has an id").to_owned()
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../heartbeat-contract/tests/golden").join(file)
}
