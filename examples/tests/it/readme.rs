//! What the README shows to those who write no Rust.

use std::os::unix::fs::symlink;
use std::path::Path;

use heartbeat_contract::{Cause, HealthState, Kind, MemberId};
use tokio::process::Command;

use crate::real_registry::RealRegistry;
use crate::waiting::soon;
use crate::wrapper::BINARY;

const PAGE: &str = include_str!("../../../README.md");

/// The first block of a section in this language.
fn block(section: &str, language: &str) -> &'static str {
    let (_, section) = PAGE.split_once(section).expect("the section");
    let (_, block) = section.split_once(&format!("```{language}\n")).expect("a block");
    block.split_once("```").expect("its end").0
}

/// Shell lines, without those that install something.
fn script(section: &str) -> String {
    block(section, "sh").lines().filter(|line| !line.starts_with("cargo install")).collect::<Vec<_>>().join("\n")
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

#[tokio::test]
async fn the_configuration_file_is_taken_below_the_environment() {
    let registry = RealRegistry::start().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme.toml");
    std::fs::write(&file, block("### Flags, variables and a file", "toml")).unwrap();
    let mut wrapper = Command::new(BINARY);
    wrapper.args(["run", "--id", "job-5", "--config", file.to_str().unwrap(), "--", "true"]);
    wrapper.env("HEARTBEAT_REGISTRY", &registry.url).kill_on_drop(true);
    assert!(soon("the end of the wrapper", wrapper.status()).await.unwrap().success());
    let seen = registry.client.member(&Kind::WORKER, &MemberId::new("job-5").unwrap()).await.unwrap();
    let metadata = &seen.payload.unwrap()["metadata"];
    assert_eq!((&metadata["team"], &metadata["rack"]), (&"ml".into(), &"7".into()));
    registry.stop().await;
}
