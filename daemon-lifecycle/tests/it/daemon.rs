use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use daemon_lifecycle::{
    Daemon, DaemonCommand, DaemonError, HealthPoll, HealthPollConfig, LineError, OutputLine, OutputStream, PollError,
    Signal,
};

use crate::{
    process::{Folder, PATIENCE, bounded, gone, kill, line, runs, sh, start, texts},
    server::{Refusing, Server, status},
};

const HOUR_MS: u64 = 3_600_000;

/// Attempts an hour apart.
fn slow_poll(url: String) -> HealthPoll {
    HealthPoll::from(HealthPollConfig { url, max_attempts: 3, initial_delay_ms: HOUR_MS, backoff_multiplier: 1.0 })
        .max_delay(Duration::from_millis(HOUR_MS))
}

#[tokio::test]
async fn a_daemon_is_waited_for_until_it_answers() {
    let server = Server::by_turns(|turn| match turn {
        1 => status("503 Service Unavailable", "starting"),
        _ => status("200 OK", "ok"),
    })
    .await;
    let mut daemon = start("exec sleep 600");
    let healthy = bounded(daemon.wait_until_healthy(HealthPoll::new(server.url("")))).await;
    assert_eq!(healthy.expect("ready at the second attempt").attempts, 2);
    assert_eq!(daemon.try_exit_status().expect("a child"), None);
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
    assert!(!stopped.forced);
    assert_eq!(stopped.status.to_string(), "signal: 15 (SIGTERM)");
}

#[tokio::test]
async fn child_that_dies_during_startup_is_reported_without_waiting_for_the_next_poll() {
    let refusing = Refusing::new();
    let mut daemon = start("echo listening soon; exec sleep 600");
    line(&mut daemon, "listening").await;
    let pid = daemon.pid().to_string();
    // Dies in the pause after the first attempt.
    let poll = slow_poll(refusing.url()).on_failed_attempt(move |_| kill(&pid));
    let error = bounded(daemon.wait_until_healthy(poll)).await.expect_err("it was killed");
    let PollError::ChildExited { status, last_lines, report, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(status.to_string(), "signal: 9 (SIGKILL)");
    assert_eq!(texts(last_lines), ["listening soon"]);
    assert_eq!(report.attempts(), 1);
    let message = error.to_string();
    assert!(message.starts_with("child exited (signal: 9 (SIGKILL)): http://127.0.0.1:"), "{message}");
    assert!(message.ends_with("; last output:\n  stdout: listening soon"), "{message}");
}

#[tokio::test]
async fn the_last_words_of_a_child_are_reported_with_its_status() {
    let refusing = Refusing::new();
    let mut daemon = start("echo reading config; echo no such file >&2; printf 'giving up' >&2; exit 3");
    let error = bounded(daemon.wait_until_healthy(slow_poll(refusing.url()))).await.expect_err("it gave up");
    let PollError::ChildExited { status, last_lines, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(status.code(), Some(3));
    let of = |stream| last_lines.iter().filter(move |line| line.stream == stream).cloned().collect::<Vec<_>>();
    assert_eq!(texts(&of(OutputStream::Stdout)), ["reading config"]);
    assert_eq!(texts(&of(OutputStream::Stderr)), ["no such file", "giving up"]);
}

#[tokio::test]
async fn a_stranger_that_answers_for_a_dead_child_is_no_success() {
    let stranger = Server::answering(status("200 OK", "ok")).await;
    let mut daemon = start("exit 1");
    bounded(daemon.wait()).await.expect("a child");
    let error = bounded(daemon.wait_until_healthy(HealthPoll::new(stranger.url("")))).await;
    assert!(matches!(error, Err(PollError::ChildExited { .. })), "{error:?}");
}

#[tokio::test]
async fn a_mebibyte_of_output_before_readiness_does_not_deadlock() {
    let mib = "head -c 1048576 /dev/zero | tr '\\0' x";
    let mut daemon = start(&format!("{mib}; {mib} >&2; echo; echo ready; exec sleep 600"));
    line(&mut daemon, "ready").await;
    let lines = daemon.last_lines();
    assert_eq!(texts(&lines).last(), Some(&"ready"));
    assert!(lines.iter().all(|line| line.text.len() < 5_000), "an overlong line was kept");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn a_line_written_just_before_the_end_is_found() {
    let mut daemon = start("echo listening on http://127.0.0.1:1");
    bounded(daemon.wait()).await.expect("a child");
    assert_eq!(line(&mut daemon, "listening on ").await, "http://127.0.0.1:1");
}

#[tokio::test]
async fn a_child_that_ends_ends_the_wait_for_a_line() {
    let mut daemon = start("echo sorry; exit 4");
    let error = bounded(daemon.wait_for_line(|_| None::<()>, PATIENCE)).await.expect_err("no such line");
    let LineError::ChildExited { status, last_lines, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((status.code(), texts(last_lines)), (Some(4), vec!["sorry"]));
    assert_eq!(
        error.to_string(),
        "child exited (exit status: 4) before the awaited line; last output:\n  stdout: sorry"
    );
}

#[tokio::test]
async fn a_line_that_does_not_come_is_waited_for_no_longer_than_told() {
    let mut daemon = start("exec sleep 600");
    let timeout = Duration::from_millis(20);
    let error = bounded(daemon.wait_for_line(|_| None::<()>, timeout)).await.expect_err("no such line");
    assert!(matches!(error, LineError::TimedOut { .. }), "{error}");
    assert_eq!(error.to_string(), "awaited line not seen within 20 ms; it wrote nothing");
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn every_line_is_told_to_the_callback() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let told = Arc::clone(&told);
        move |line: &OutputLine| told.lock().expect("not poisoned").push(line.to_string())
    };
    let daemon = sh("echo one; echo two >&2").on_line(hook).spawn().expect("sh starts");
    let stopped = bounded(async {
        let mut daemon = daemon;
        daemon.wait().await.expect("a child");
        daemon.stop(PATIENCE).await.expect("a child to stop")
    })
    .await;
    assert_eq!(stopped.status.code(), Some(0));
    let mut told = told.lock().expect("not poisoned").clone();
    told.sort();
    assert_eq!(told, ["stderr: two", "stdout: one"]);
}

/// A leader that ends at the first SIGTERM, and a grandchild that does `on_term`.
fn family(on_term: &str) -> String {
    format!(
        "sh -c 'trap \"{on_term}\" TERM; echo grandchild $$; while :; do sleep 0.02; done' &
         trap 'exit 0' TERM; while :; do sleep 0.02; done"
    )
}

#[tokio::test]
async fn grandchild_that_ignores_sigterm_is_gone_after_stop() {
    let mut daemon = start(&family(""));
    let grandchild = line(&mut daemon, "grandchild ").await;
    let stopped = bounded(daemon.stop(Duration::from_millis(200))).await.expect("a group to stop");
    assert!(!runs(&grandchild), "process {grandchild} still runs");
    assert!(stopped.forced);
}

#[tokio::test]
async fn a_grandchild_has_the_grace_too_when_the_leader_ends_at_once() {
    // Longer than the pipes of a dead leader are read, so that its line is proof of the wait.
    let mut daemon = start(&family("sleep 1.5; echo cleaned up; exit 0"));
    let grandchild = line(&mut daemon, "grandchild ").await;
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
    assert!(!runs(&grandchild));
    assert!(!stopped.forced);
    assert!(texts(&stopped.last_lines).contains(&"cleaned up"), "{:?}", stopped.last_lines);
}

#[tokio::test]
async fn what_a_dead_child_left_behind_is_gone_after_stop() {
    let mut daemon = start("sleep 600 & echo grandchild $!; exit 5");
    let grandchild = line(&mut daemon, "grandchild ").await;
    assert_eq!(bounded(daemon.wait()).await.expect("a child").code(), Some(5));
    assert!(runs(&grandchild));
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
    assert_eq!(stopped.status.code(), Some(5));
    assert!(!runs(&grandchild));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn stop_does_not_wait_for_a_pipe_that_an_escaped_process_holds() {
    let mut daemon = start("setsid sh -c 'echo escaped $$; exec sleep 600' & wait");
    let escaped = line(&mut daemon, "escaped ").await;
    let stopped = bounded(daemon.stop(PATIENCE)).await;
    assert!(runs(&escaped), "it was meant to hold the pipe");
    kill(&escaped);
    assert!(!stopped.expect("a group to stop").forced);
}

#[tokio::test]
async fn a_frozen_daemon_hears_that_it_is_to_stop() {
    let mut daemon = start("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done");
    line(&mut daemon, "up").await;
    daemon.signal_group(Signal::Stop).expect("a group");
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
    assert!(!stopped.forced);
    assert!(texts(&stopped.last_lines).contains(&"bye"), "{:?}", stopped.last_lines);
}

#[tokio::test]
async fn a_signal_reaches_the_leader_alone_or_the_whole_group() {
    let script = "sh -c 'trap \"echo first\" USR1; trap \"echo second\" USR2; echo up; while :; do sleep 0.02; done' &
                  trap 'echo leader heard' USR1; trap '' USR2; echo leader up; while :; do sleep 0.02; done";
    let mut daemon = start(script);
    line(&mut daemon, "up").await;
    line(&mut daemon, "leader up").await;
    daemon.signal(Signal::User1).expect("a child");
    line(&mut daemon, "leader heard").await;
    daemon.signal_group(Signal::User2).expect("a group");
    line(&mut daemon, "second").await;
    // A shell that has a choice runs the trap of the lower signal first.
    let lines = daemon.last_lines();
    assert!(!texts(&lines).contains(&"first"), "{lines:?}");
    bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
}

#[tokio::test]
async fn a_signal_for_the_dead_is_an_error() {
    let mut daemon = start("exit 0");
    bounded(daemon.wait()).await.expect("a child");
    for outcome in [daemon.signal(Signal::Hangup), daemon.signal_group(Signal::Hangup)] {
        let error = outcome.expect_err("nobody is left");
        let expected = format!("cannot send SIGHUP to process {}", daemon.pid());
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_dropped_daemon_is_killed_with_its_group() {
    let mut daemon = start(&family(""));
    let grandchild = line(&mut daemon, "grandchild ").await;
    let leader = daemon.pid().to_string();
    drop(daemon);
    gone(&leader).await;
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    let error = Daemon::command("/no/such/program").spawn().expect_err("no such program");
    assert!(matches!(error, DaemonError::Spawn { .. }));
    assert_eq!(error.to_string(), "cannot start `/no/such/program`");
}

#[tokio::test]
async fn arguments_environment_and_directory_reach_the_daemon() {
    let daemon = Daemon::command("sh")
        .arg("-c")
        .arg("echo $0 $GREETING; pwd")
        .arg("zero")
        .env("GREETING", "hello")
        .current_dir("/")
        .spawn();
    let mut daemon = daemon.expect("sh starts");
    bounded(daemon.wait()).await.expect("a child");
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
    assert_eq!(texts(&stopped.last_lines), ["zero hello", "/"]);
}

#[tokio::test]
async fn a_prepared_command_keeps_its_settings_and_loses_its_output() {
    let mut command = Command::new("cat");
    command.stdin(std::io::pipe().expect("a pipe").0);
    let mut daemon = DaemonCommand::from(command).spawn().expect("cat starts");
    assert!(bounded(daemon.wait()).await.expect("a child").success(), "its standard input was empty");

    let mut command = Command::new("sh");
    command.args(["-c", "echo $NOTIFY_SOCKET"]).env("NOTIFY_SOCKET", "/meant/so").stdout(std::process::Stdio::null());
    let mut daemon = DaemonCommand::from(command).spawn().expect("sh starts");
    line(&mut daemon, "/meant/so").await;
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn output_is_appended_to_a_file_line_by_line() {
    let folder = Folder::new();
    let path = folder.join("log");
    for word in ["one", "two"] {
        let mut daemon =
            sh(&format!("echo {word}; printf 'no newline' >&2")).log_file(&path).spawn().expect("sh starts");
        bounded(daemon.wait()).await.expect("a child");
        bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
    }
    let log = std::fs::read_to_string(&path).expect("a file");
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["no newline", "no newline", "one", "two"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_does_not_hold_up_the_daemon() {
    let mib = "head -c 1048576 /dev/zero | tr '\\0' x | fold -w 60";
    let mut daemon = sh(&format!("{mib}; echo; echo done")).log_file("/dev/full").spawn().expect("sh starts");
    assert!(bounded(daemon.wait()).await.expect("a child").success());
    line(&mut daemon, "done").await;
    bounded(daemon.stop(PATIENCE)).await.expect("a child to stop");
}

#[tokio::test]
async fn a_log_file_that_cannot_be_opened_is_named_and_nothing_is_started() {
    let error = sh("exit 0").log_file("/no/such/folder/log").spawn().expect_err("no such folder");
    assert!(matches!(error, DaemonError::LogFile { .. }));
    assert_eq!(error.to_string(), "cannot append to `/no/such/folder/log`");
}

#[tokio::test]
async fn a_daemon_with_a_session_of_its_own_has_no_terminal_and_is_stopped_with_its_group() {
    let script = "echo session $(ps -o sid= -p $$); sleep 600 & echo grandchild $!; wait";
    let mut daemon = sh(script).own_session().spawn().expect("sh starts");
    let session = line(&mut daemon, "session ").await;
    assert_eq!(session.trim(), daemon.pid().to_string());
    let grandchild = line(&mut daemon, "grandchild ").await;
    bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
    assert!(!runs(&grandchild));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_guard_outlives_the_signals_of_its_group_and_ends_with_the_daemon() {
    let mut daemon = sh(&family("echo bye; exit 0")).die_with_parent().spawn().expect("sh starts");
    let grandchild = line(&mut daemon, "grandchild ").await;
    let guard = daemon.process_group().to_string();
    assert_ne!(guard, daemon.pid().to_string());
    assert!(runs(&guard));
    let stopped = bounded(daemon.stop(PATIENCE)).await.expect("a group to stop");
    assert!(!stopped.forced, "a guard must not be waited for");
    assert!(texts(&stopped.last_lines).contains(&"bye"), "{:?}", stopped.last_lines);
    assert!(!runs(&grandchild) && !runs(&guard));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dropped_daemon_takes_its_guard_along() {
    let mut daemon = sh(&family("")).die_with_parent().spawn().expect("sh starts");
    let grandchild = line(&mut daemon, "grandchild ").await;
    let processes = [daemon.process_group().to_string(), daemon.pid().to_string(), grandchild];
    drop(daemon);
    for process in &processes {
        gone(process).await;
    }
}

#[test]
fn waits_can_be_spawned() {
    fn assert_send<T: Send>(_: impl FnOnce(Daemon) -> T) {}
    assert_send(|mut daemon| async move { daemon.wait_until_healthy(HealthPoll::new("")).await });
    assert_send(|mut daemon| async move { daemon.wait_for_line(|_| Some(()), PATIENCE).await });
    assert_send(|daemon| daemon.stop(PATIENCE));
}
