use std::{fs, io, process::Command, time::Duration};

use daemon_lifecycle::{PidFile, PidFileError, Pruned};

use crate::{
    folder::Folder,
    process::{PATIENCE, bounded, line, start},
};

#[test]
fn a_claim_is_held_by_one_and_ends_when_it_is_dropped() {
    let folder = Folder::new("pid-file-1");
    let path = folder.path().join("pid");
    let claim = PidFile::claim(&path).expect("nobody is there");
    let text = fs::read_to_string(&path).expect("a file");
    assert_eq!(text.lines().next(), Some(std::process::id().to_string().as_str()));
    let error = PidFile::claim(&path).expect_err("it is claimed");
    assert!(
        matches!(&error, PidFileError::Running { process: Some(process), .. } if process.pid == std::process::id())
    );
    drop(claim);
    assert!(!path.exists());
    drop(PidFile::claim(&path).expect("nobody is there any more"));
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_there_is_named_with_pid_and_age() {
    let folder = Folder::new("pid-file-2");
    let path = folder.path().join("pid");
    let _claim = PidFile::claim(&path).expect("nobody is there");
    let message = PidFile::claim(&path).expect_err("it is claimed").to_string();
    let expected = format!("`{}` is held by process {}, which has run for ", path.display(), std::process::id());
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_stale_file_is_taken_over_whomever_it_names() {
    let folder = Folder::new("pid-file-3");
    let path = folder.path().join("pid");
    let this = std::process::id();
    let mut dead = Command::new("true").spawn().expect("true starts");
    dead.wait().expect("a child");
    for text in [
        String::new(),
        "\0".repeat(60),
        // Not locked, so written by a process that is gone, whoever has its pid now.
        format!("{this}\nstart 1\nboot 5f1c\ndaemon {this} {this} 1\n"),
        format!("{}\n", dead.id()),
    ] {
        fs::write(&path, &text).expect("a file");
        drop(PidFile::claim(&path).unwrap_or_else(|error| panic!("{text:?}: {error}")));
    }
}

#[test]
fn a_file_that_holds_no_pid_is_refused_and_left_as_it_is() {
    let folder = Folder::new("pid-file-data");
    let path = folder.path().join("worker");
    let long = format!("4711\n{}", "x".repeat(4_096));
    for data in ["#!/bin/sh\nexec worker\n", long.as_str()] {
        fs::write(&path, data).expect("a file");
        let error = PidFile::claim(&path).expect_err("it is no pid file");
        assert!(matches!(error, PidFileError::Io { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("a file"), data);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_daemon_that_was_left_behind_is_found_by_its_start_and_replaced() {
    let folder = Folder::new("pid-file-4");
    let path = folder.path().join("pid");
    let mut daemon = start("sleep 600 & trap '' TERM; echo up; while :; do sleep 0.02; done");
    line(&mut daemon, "up").await;
    let left = {
        let mut claim = PidFile::claim(&path).expect("nobody is there");
        claim.record(&daemon).expect("a file");
        // As if the claiming process had been killed: the file stays, the lock goes.
        fs::read(&path).expect("a file")
    };
    fs::write(&path, left).expect("a file");

    let error = PidFile::claim(&path).expect_err("the daemon lives");
    let PidFileError::LeftBehind { process, group, .. } = &error else { panic!("{error}") };
    assert_eq!((process.pid, *group), (daemon.pid(), daemon.process_group()));
    assert!(error.to_string().contains(&format!("its daemon, process {}, which has run for", daemon.pid())), "{error}");

    let claim = bounded(PidFile::replace(&path, Duration::from_millis(50))).await.expect("to take its place");
    assert_eq!(bounded(daemon.wait()).await.expect("a child").to_string(), "signal: 9 (SIGKILL)");
    drop(claim);
    bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
}

#[tokio::test]
async fn a_claim_of_this_process_is_not_replaced() {
    let folder = Folder::new("pid-file-5");
    let path = folder.path().join("pid");
    let _claim = PidFile::claim(&path).expect("nobody is there");
    let error = bounded(PidFile::replace(&path, Duration::ZERO)).await.expect_err("it would be our own end");
    assert!(matches!(error, PidFileError::Running { .. }), "{error}");
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let error = PidFile::claim("/no/such/folder/pid").expect_err("no such folder");
    assert!(!error.is_occupied());
    assert_eq!(error.to_string(), "cannot use `/no/such/folder/pid` as a pid file");
}

#[tokio::test]
async fn what_is_no_regular_file_is_neither_claimed_nor_removed() {
    let folder = Folder::new("pid-file-8");
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    for (path, why) in [(fifo.as_path(), "it is no regular file"), (folder.path(), "Is a directory")] {
        let pruned = bounded(PidFile::prune(path, Duration::ZERO)).await.expect_err("it is not ours");
        let claimed = PidFile::claim(path).expect_err("it is not ours");
        for refused in [pruned, claimed] {
            assert!(
                matches!(&refused, PidFileError::Io { source, .. } if source.to_string().contains(why)),
                "{refused:?}"
            );
        }
        assert!(path.exists());
    }
}

#[test]
fn prune_removes_what_is_stale_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = Folder::new("pid-file-6");
    let path = folder.path().join("pid");
    let prune = || runtime.block_on(bounded(PidFile::prune(&path, Duration::ZERO)));
    let this = std::process::id();

    assert_eq!(prune().expect("no file"), Pruned::Absent);
    assert!(!path.exists(), "it is not made");
    for stale in [String::new(), format!("{this}\nstart 1\nboot 5f1c\ndaemon {this} {this} 1\n")] {
        fs::write(&path, &stale).expect("a file");
        assert_eq!(prune().unwrap_or_else(|error| panic!("{stale:?}: {error}")), Pruned::Stale);
        assert!(!path.exists());
    }
    // The second as another program writes it, which lives.
    for foreign in ["Dear Ann".to_owned(), format!("{this}\n"), format!("{this}\n{}", "x".repeat(5_000))] {
        fs::write(&path, &foreign).expect("a file");
        let error = prune().expect_err("it is not ours");
        assert!(matches!(&error, PidFileError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData));
        assert_eq!(fs::read_to_string(&path).expect("a file"), foreign);
    }
    fs::remove_file(&path).expect("a file");
    let claim = PidFile::claim(&path).expect("nobody is there");
    assert!(matches!(prune(), Ok(Pruned::Held(Some(process))) if process.pid == this));
    assert!(path.exists());
    drop(claim);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn prune_leaves_a_daemon_alone_while_its_claim_is_held() {
    let folder = Folder::new("pid-file-7");
    let path = folder.path().join("pid");
    let mut daemon = start("exec sleep 600");
    let mut claim = PidFile::claim(&path).expect("nobody is there");
    claim.record(&daemon).expect("a file");
    let pruned = bounded(PidFile::prune(&path, Duration::ZERO)).await;
    assert!(matches!(pruned, Ok(Pruned::Held(_))), "{pruned:?}");
    assert_eq!(daemon.try_exit_status().expect("a child"), None);
    drop(claim);
    bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
}
