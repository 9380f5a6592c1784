//! What is left when `daemon-lifecycle run` is killed.

use std::time::Duration;

use crate::{
    cli::stderr,
    folder::Folder,
    process::{PATIENCE, bounded, gone, kill, line, runs},
    run::{run, start, under_run},
};

#[tokio::test]
async fn an_orphan_that_keeps_its_port_is_found_and_replaced() {
    let folder = Folder::new("run-2");
    let path = folder.path().join("pid");
    let path = path.to_str().expect("a name");
    let script = "echo up $$; exec sleep 600";
    let mut first = start(&["--pid-file", path], script);
    let orphan = line(&mut first, "up ").await;
    line(&mut first, "run 1: ready").await;
    kill(&first.pid().to_string());
    bounded(first.wait()).await.expect("a child");
    assert!(runs(&orphan), "it was meant to be left behind");

    let output = run(&["--pid-file", path], script).await;
    assert_eq!(output.status.code(), Some(1));
    let left = format!("error: `{path}` was left with its daemon, process {orphan}, which has run for ");
    assert!(stderr(&output).starts_with(&left), "{}", stderr(&output));

    let mut second = start(&["--pid-file", path, "--replace"], script);
    line(&mut second, "up ").await;
    assert!(!runs(&orphan));
    bounded(second.stop(PATIENCE)).await.expect("a group to stop");
}

#[tokio::test]
async fn a_parent_that_is_killed_takes_the_daemon_and_its_children_along() {
    let script = "sh -c 'trap \"\" TERM HUP; echo grandchild $$; while :; do sleep 0.02; done' &
                  trap '' TERM HUP; echo daemon $$; while :; do sleep 0.02; done";
    let mut parent = start(&["--die-with-parent"], script);
    let daemon = line(&mut parent, "daemon ").await;
    let grandchild = line(&mut parent, "grandchild ").await;
    kill(&parent.pid().to_string());
    gone(&daemon).await;
    gone(&grandchild).await;
    bounded(parent.stop(PATIENCE)).await.expect("a child to reap");
}

#[tokio::test]
async fn a_parent_that_is_killed_at_any_moment_leaves_nothing_behind() {
    // Told from others of the machine by how long they sleep.
    let seconds = fastrand::u64(1_000_000_000..2_000_000_000).to_string();
    let script = format!("sleep {seconds} & exec sleep {seconds}");
    for delay in 0..60 {
        let mut parent = under_run(&["--die-with-parent"], &script)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary starts");
        // From before the first fork until after the last.
        tokio::time::sleep(Duration::from_micros(500) * delay).await;
        parent.kill().expect("a child");
        parent.wait().expect("a child");
    }
    bounded(async {
        while anyone_sleeps(&seconds) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn anyone_sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("processes");
    let mut lines = processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(seconds))
}
