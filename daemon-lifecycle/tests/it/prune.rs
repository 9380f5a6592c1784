//! `daemon-lifecycle prune`, from outside.

use std::{fs, process::Output};

use crate::{
    cli::{command, stderr, stdout},
    folder::Folder,
    process::{PATIENCE, bounded, kill, line, runs},
    run::start,
};

fn prune(args: &[&str]) -> Output {
    command(&[&["prune"], args].concat()).output().expect("the binary starts")
}

fn outcomes(output: &Output) -> Vec<(String, serde_json::Value)> {
    let told: serde_json::Value = serde_json::from_str(&stdout(output)).expect("JSON");
    let told = told.as_array().expect("a list");
    told.iter().map(|told| (told["outcome"].as_str().expect("a word").to_owned(), told["pid"].clone())).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_killed_supervisor_left_behind_is_ended_and_what_is_supervised_is_not() {
    let folder = Folder::new("prune-1");
    let file = |name: &str| folder.path().join(name).to_str().expect("a name").to_owned();
    let (left, held, stale, absent) = (file("left"), file("held"), file("stale"), file("absent"));
    let script = "sleep 600 & echo up $$ $!; trap '' TERM; while :; do sleep 0.02; done";

    let mut killed = start(&["--pid-file", &left], script);
    let orphans = line(&mut killed, "up ").await;
    let (orphan, grandchild) = orphans.split_once(' ').expect("two");
    line(&mut killed, "run 1: ready").await;
    kill(&killed.pid().to_string());
    bounded(killed.wait()).await.expect("a child");
    assert!(runs(orphan) && runs(grandchild), "they were meant to be left behind");

    let mut lives = start(&["--pid-file", &held], "echo up $$; exec sleep 600");
    let supervised = line(&mut lives, "up ").await;
    fs::write(&stale, "4711\nstart 1\nboot 5f1c\n").expect("a file");

    let output = prune(&["--stop-grace", "50ms", "--output", "json", &left, &held, &stale, &absent]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let null = serde_json::Value::Null;
    let pid = |text: &str| text.parse::<u32>().expect("a pid").into();
    let expected = [
        ("ended".to_owned(), pid(orphan)),
        ("held".to_owned(), lives.pid().into()),
        ("removed".to_owned(), null.clone()),
        ("absent".to_owned(), null),
    ];
    assert_eq!(outcomes(&output), expected);
    assert!(!runs(orphan) && !runs(grandchild), "the whole group");
    assert!(runs(&supervised) && fs::exists(&held).expect("a folder"));
    assert!(!fs::exists(&left).expect("a folder") && !fs::exists(&stale).expect("a folder"));

    let output = prune(&[&left]);
    assert_eq!(output.status.code(), Some(0));
    let told = stdout(&output);
    assert!(told.starts_with("PIDFILE") && told.contains("  absent "), "{told}");
    bounded(lives.stop(PATIENCE)).await.expect("a group to stop");
}

#[test]
fn a_file_that_is_no_pid_file_is_left_alone_and_named() {
    let folder = Folder::new("prune-2");
    let path = folder.path().join("letter");
    fs::write(&path, "Dear Ann").expect("a file");
    let path = path.to_str().expect("a name");
    let output = prune(&["--output", "json", path]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(outcomes(&output)[0].0, "failed");
    let named = format!("error: cannot use `{path}` as a pid file: it holds no pid");
    assert!(stderr(&output).starts_with(&named), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(path).expect("a file"), "Dear Ann");
    assert_eq!(prune(&[]).status.code(), Some(2));
}
