//! The shell lines that the README shows to those who write no Rust.

use std::os::unix::fs::symlink;
use std::path::Path;

use heartbeat_contract::{Cause, HealthState, Kind, MemberId};
use tokio::process::Command;

use crate::real_registry::RealRegistry;
use crate::waiting::soon;
use crate::wrapper::BINARY;

const PAGE: &str = include_str!("../../../README.md");

/// The first block of a section, without what it installs.
fn script(section: &str) -> String {
    let (_, section) = PAGE.split_once(section).expect("the section");
    let (_, block) = section.split_once("```sh\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    block.lines().filter(|line| !line.starts_with("cargo install")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_shell_lines_for_those_who_write_no_rust_do_what_they_say() {
    let registry = RealRegistry::start().await;
    let bin = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let link = bin.join("heartbeat-sender");
    // Left by an earlier run.
    std::fs::remove_file(&link).ok();
    symlink(BINARY, &link).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let mut shell = Command::new("sh");
    shell.args(["-c", &script("### Without a line of Rust")]);
    shell.env("PATH", path).env("HEARTBEAT_REGISTRY", &registry.url).kill_on_drop(true);
    assert!(soon("the end of the lines", shell.status()).await.unwrap().success());

    let seen = async |id: &str| registry.client.member(&Kind::WORKER, &MemberId::new(id).unwrap()).await.unwrap();
    let done = seen("job-1").await;
    assert_eq!((done.state, &done.payload.unwrap()["beat"]["leaving"]), (HealthState::Left, &"exit 0".into()));
    let dead = seen("job-2").await;
    assert_eq!((dead.state, dead.cause), (HealthState::Critical, Some(Cause::ProcessDead)));
    assert_eq!(dead.payload.unwrap()["last_error"], "exit 3\nlost");
    let told = seen("job-3").await.payload.unwrap();
    assert_eq!((&told["queue_depth"], &told["metadata"]["status_text"]), (&7.into(), &"model loaded".into()));
    // It has said goodbye, which tells of no work in hand.
    let progress = &told["beat"]["progress"];
    assert_eq!((&progress["busy"], &progress["done"]), (&false.into(), &41.into()));
    let beat = seen("job-4").await;
    assert_eq!((beat.status.as_deref(), beat.interval_ms), (Some("busy"), Some(60_000)));
    registry.stop().await;
}
