//! Children that are dead before anyone here has noticed.

use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use super::{CutShort, Daemon, Signal};

fn start(script: &str) -> (Daemon, Pid) {
    let daemon = Daemon::command("sh").args(["-c", script]).spawn().expect("sh starts");
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    (daemon, pid)
}

/// Blocks until a child is dead; it stays to be reaped, and the runtime has not heard of it.
fn await_death(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).expect("a child").expect("its end");
}

#[tokio::test]
async fn an_answer_that_comes_with_the_death_of_the_child_is_no_success() {
    let (mut daemon, pid) = start("exec sleep 600");
    let stranger = async {
        kill_process(pid, Signal::Kill.to_rustix()).expect("a child to kill");
        await_death(pid);
        Ok(())
    };
    let ended = daemon.while_alive(stranger).await.expect("a child");
    assert!(matches!(ended, Err(CutShort::ChildExited(_))));
}

#[tokio::test]
async fn a_child_that_ended_unnoticed_is_stopped_without_grace_or_force() {
    let (daemon, pid) = start("exit 5");
    await_death(pid);
    let stopped = daemon.stop(Duration::ZERO).await.expect("a child to reap");
    assert_eq!((stopped.status.code(), stopped.forced), (Some(5), false));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn orphans_that_fall_to_this_process_are_reaped() {
    use rustix::{io::Errno, process::test_kill_process_group};

    let this = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(this)).expect("to be allowed");
    let (mut daemon, pid) = start("sleep 600 & exit 0");
    daemon.wait().await.expect("a child");
    test_kill_process_group(pid).expect("the orphan lives");
    daemon.signal_group(Signal::Kill).expect("an orphan to kill");
    daemon.group.wait_until_empty().await.expect("a group");
    assert_eq!(test_kill_process_group(pid), Err(Errno::SRCH), "a zombie is left");
}
