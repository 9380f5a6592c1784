//! `daemon-lifecycle run`, from outside.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use daemon_lifecycle::{Daemon, DaemonCommand, OutputLine, Signal};

use crate::{
    cli::{command, stderr, stdout},
    folder::Folder,
    process::{PATIENCE, bounded, gone, line, runs},
    server::{Refusing, Server, health_json, status},
};

/// A shell script under `run`, with these options.
pub(crate) fn under_run(options: &[&str], script: &str) -> std::process::Command {
    command(&[&["run"], options, &["--", "sh", "-c", script]].concat())
}

pub(crate) async fn run(options: &[&str], script: &str) -> Output {
    let mut command = tokio::process::Command::from(under_run(options, script));
    bounded(command.kill_on_drop(true).output()).await.expect("the binary starts")
}

pub(crate) fn start(options: &[&str], script: &str) -> Daemon {
    DaemonCommand::from(under_run(options, script)).spawn().expect("the binary starts")
}

pub(crate) async fn code(daemon: &mut Daemon) -> Option<i32> {
    bounded(daemon.wait()).await.expect("a child").code()
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_command() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let output = run(&["--restart", "never"], script).await;
        assert_eq!(output.status.code(), Some(code), "{script}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn each_way_not_to_be_ready_has_its_exit_code() {
    let refusing = Refusing::new().url();
    for (options, script, code) in [
        (["--ready-url", &refusing, "--timeout", "60s"], "exit 0", 3),
        (["--ready-line", "up", "--timeout", "60s"], "exit 1", 3),
        (["--ready-line", "up", "--timeout", "50ms"], "exec sleep 600", 124),
        (["--ready-url", &refusing, "--timeout", "50ms"], "exec sleep 600", 124),
        (["--ready-url", "ftp://x", "--timeout", "50ms"], "exec sleep 600", 2),
    ] {
        let output = run(&[&["--restart", "never"], &options[..]].concat(), script).await;
        assert_eq!(output.status.code(), Some(code), "{options:?} {script}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn a_start_that_no_waiting_would_mend_is_a_failure_and_not_out_of_time() {
    let mut command = tokio::process::Command::from(command(
        &[&["run", "--restart", "never", "--ready-url", "exec:true"][..], &["--", "/bin/sleep", "600"]].concat(),
    ));
    // So that there is no shell to ask.
    let output = bounded(command.env("PATH", "/no/such").kill_on_drop(true).output()).await.expect("the binary starts");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("command cannot be run"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_daemon_is_not_asked_without_a_pause() {
    let output = run(&["--liveness-url", "exec:true", "--liveness-interval", "0s"], "exit 7").await;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("more than zero is needed"), "{}", stderr(&output));
}

#[tokio::test]
async fn what_systemd_told_the_supervisor_is_not_inherited() {
    let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
    let mut command = tokio::process::Command::from(under_run(&[], "env"));
    command.envs(names.map(|name| (name, "1"))).env("KEPT", "1").kill_on_drop(true);
    let output = bounded(command.output()).await.expect("the binary starts");
    let told = stdout(&output);
    assert!(told.contains("KEPT=1"), "{told}");
    for name in names {
        assert!(!told.contains(name), "{told}");
    }
    assert!(stderr(&output).contains("NOTIFY_SOCKET=1: neither an absolute path nor an @name"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_command_that_cannot_be_run_has_its_exit_code() {
    for (program, code) in [("/no/such/program", 127), ("/dev/null", 126)] {
        let output = command(&["run", "--", program]).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(program), "{}", stderr(&output));
    }
    let output = command(&["run"]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn a_url_that_is_none_is_a_usage_error_with_its_cause() {
    for flag in ["--ready-url", "--liveness-url"] {
        let output = run(&[flag, "foo"], "exit 7").await;
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("`foo` as a URL: it has no scheme, such as http://"),
            "{flag}: {}",
            stderr(&output)
        );
    }
}

#[tokio::test]
async fn a_daemon_that_writes_nothing_is_said_so_once() {
    let output = run(&["--ready-notify", "--timeout", "50ms"], "exec sleep 600").await;
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    assert_eq!(stderr(&output).matches("it wrote nothing").count(), 1, "{}", stderr(&output));
}

#[tokio::test]
async fn a_crash_loop_is_given_up_with_the_last_lines_and_its_exit_code() {
    let output = run(&[], "echo no licence; exit 4").await;
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("error: given up after 5 starts in 10 s: run 5: ended (exit status: 4)"), "{told}");
    assert!(told.trim_end().ends_with("stdout: no licence"), "{told}");
    assert_eq!(stdout(&output), "no licence\n".repeat(5), "what it writes is passed on");
}

#[tokio::test]
async fn restarts_are_limited_and_spaced_as_told() {
    let output = run(&["--restart-limit", "2", "--restart-delay", "0s"], "exit 4").await;
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("run 2: starts in 0 ms"), "{told}");
    assert!(told.contains("error: given up after 2 restarts in a row: run 3: ended"), "{told}");

    let mut daemon = start(&["--restart-delay", "2h", "--restart-max-delay", "2h"], "exit 4");
    // By chance up to a tenth earlier.
    let pause: f64 = line(&mut daemon, "run 2: starts in ").await.trim_end_matches(" s").parse().expect("seconds");
    assert!((6_480.0..=7_200.0).contains(&pause), "{pause}");
    daemon.signal(Signal::Terminate).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(143));

    let output = run(&["--restart-delay", "2h"], "exit 4").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--restart-delay is longer than --restart-max-delay"), "{}", stderr(&output));
}

#[tokio::test]
async fn what_happens_is_told_as_json() {
    let script = "echo to stdout; echo up >&2; exit 9";
    let options = ["--restart", "never", "--ready-line", "up", "--output", "json"];
    let output = run(&options, script).await;
    let events: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert!(names == ["started", "ready", "ended", "over"] || names == ["started", "ended", "over"], "{names:?}");
    let ended = &events[events.len() - 2];
    assert_eq!((&ended["run"], &ended["code"], &ended["signal"]), (&1.into(), &9.into(), &serde_json::Value::Null));
    assert_eq!(ended["last_lines"].as_array().map(Vec::len), Some(2));
    assert_eq!(events.last().expect("an end")["exit_code"], output.status.code().expect("a code"));
    assert!(stderr(&output).contains("to stdout"), "standard output is for data alone");
}

#[tokio::test]
async fn term_stops_the_whole_group_and_hup_is_passed_on() {
    let script = "trap 'echo hup' HUP; sleep 600 & echo grandchild $!; echo up; while :; do sleep 0.02; done";
    let mut daemon = start(&["--ready-line", "up"], script);
    let grandchild = line(&mut daemon, "grandchild ").await;
    line(&mut daemon, "run 1: ready").await;
    daemon.signal(Signal::Hangup).expect("a child");
    line(&mut daemon, "hup").await;
    daemon.signal(Signal::Terminate).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(143));
    assert!(!runs(&grandchild));
}

#[tokio::test]
async fn no_key_of_a_terminal_leaves_the_daemon_behind() {
    for (signal, expected) in [(Signal::Interrupt, 130), (Signal::Quit, 131)] {
        let mut daemon = start(&[], "echo up $$; exec sleep 600");
        let child = line(&mut daemon, "up ").await;
        line(&mut daemon, "run 1: ready").await;
        daemon.signal(signal).expect("a child");
        assert_eq!(code(&mut daemon).await, Some(expected));
        gone(&child).await;
    }
}

#[test]
fn a_boolean_variable_takes_the_usual_words() {
    let given = |value: &str| {
        let mut command = under_run(&["--restart", "never"], "exit 7");
        command.env("HEARTBEAT_SUPERVISE_DIE_WITH_PARENT", value).output().expect("the binary starts")
    };
    for value in ["1", "0", "yes", "off", "true"] {
        let output = given(value);
        assert_eq!(output.status.code(), Some(7), "{value}: {}", stderr(&output));
    }
    assert_eq!(given("perhaps").status.code(), Some(2));
}

#[tokio::test]
async fn a_second_signal_kills() {
    let mut daemon = start(&["--stop-grace", "600s"], "trap '' TERM; echo up $$; while :; do sleep 0.02; done");
    let child = line(&mut daemon, "up ").await;
    daemon.signal(Signal::Terminate).expect("a child");
    line(&mut daemon, "run 1: stopping: as asked").await;
    daemon.signal(Signal::Interrupt).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(143));
    gone(&child).await;
}

#[tokio::test]
async fn a_daemon_that_fails_its_liveness_url_ends_with_1() {
    let server = Server::answering(status("503 Service Unavailable", "deadlock")).await;
    let url = server.url("/livez");
    let options = ["--restart", "never", "--liveness-url", &url, "--liveness-interval", "1ms"];
    let output = run(&options, "exec sleep 600").await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("not healthy any more: "), "{}", stderr(&output));
    assert!(stderr(&output).contains("503"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_daemon_that_misses_its_watchdog_ends_with_1() {
    let options = ["--restart", "never", "--watchdog", "20ms", "--output", "json"];
    let output = run(&options, "exec sleep 600").await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains(r#""cause":"watchdog""#), "{}", stdout(&output));
}

#[tokio::test]
async fn a_start_whose_progress_grows_may_take_longer_than_the_timeout() {
    // The attempts before the seventh are 100 ms and half as much more each apart, 2 s in all.
    let server = Server::by_turns(|turn| match turn {
        ..=6 => health_json("503 Service Unavailable", "", &format!(r#"{{"progress":0.{turn}}}"#)),
        _ => status("200 OK", "ok"),
    })
    .await;
    let url = server.url("/");
    let options = ["--restart", "never", "--ready-url", &url, "--timeout", "1s", "--stall-timeout", "60s"];
    let mut daemon = start(&options, "exec sleep 600");
    line(&mut daemon, "run 1: ready").await;
    daemon.signal(Signal::Terminate).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(143));
}

#[tokio::test]
async fn a_command_may_be_asked_whether_the_daemon_is_ready_and_whether_it_lives() {
    let folder = Folder::new("run-3");
    let file = |name: &str| folder.path().join(name).to_str().expect("a name").to_owned();
    let (ready, alive) = (file("ready"), file("alive"));
    let script = format!("touch {alive}; sleep 0.1; touch {ready}; exec sleep 600");
    let (ready_url, liveness_url) = (format!("exec:test -e {ready}"), format!("exec:test -e {alive}"));
    let options = ["--restart", "never", "--ready-url", &ready_url, "--liveness-url", &liveness_url];
    let options = [&options[..], &["--liveness-interval", "1ms"]].concat();
    let mut daemon = start(&options, &script);
    line(&mut daemon, "run 1: ready").await;
    assert!(std::fs::exists(&ready).expect("a folder"));
    std::fs::remove_file(&alive).expect("a file");
    assert_eq!(code(&mut daemon).await, Some(1));

    let output = run(&["--ready-url", "exec: "], "exit 7").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`exec: ` has no command"), "{}", stderr(&output));
}

#[tokio::test]
async fn several_answers_over_a_time_can_be_demanded_before_it_is_ready() {
    // One failure begins it all anew. Of 150 ms, answers at 0, 100 and 200 ms tell, give or take.
    for (demand, at_least) in [(["--success-threshold", "3"], 5), (["--min-uptime", "150ms"], 4)] {
        let server = Server::by_turns(|turn| match turn {
            2 => status("503 Service Unavailable", "warming"),
            _ => status("200 OK", "ok"),
        })
        .await;
        let url = server.url("/");
        let mut daemon = start(&[&["--restart", "never", "--ready-url", &url], &demand[..]].concat(), "exec sleep 600");
        line(&mut daemon, "run 1: ready").await;
        daemon.signal(Signal::Terminate).expect("a child");
        assert_eq!(code(&mut daemon).await, Some(143));
        let asked = server.requests().len();
        assert!(asked >= at_least, "{demand:?}: {asked}");
    }
    let output = run(&["--min-uptime", "1s"], "exit 7").await;
    assert_eq!(output.status.code(), Some(2), "without a URL it means nothing");
}

#[tokio::test]
async fn an_answer_of_another_daemon_on_the_port_can_be_refused() {
    // This very process is the other daemon, until the child answers.
    let pid = Arc::new(AtomicU32::new(std::process::id()));
    let answering = Arc::clone(&pid);
    let server = Server::by_turns(move |_| {
        let body = format!(r#"{{"pid":{}}}"#, answering.load(Ordering::Relaxed));
        health_json("200 OK", "", &body)
    })
    .await;
    let url = server.url("/");
    let options = ["--restart", "never", "--ready-url", &url, "--expect-child", "--timeout"];
    let output = run(&[&options[..], &["300ms"]].concat(), "exec sleep 600").await;
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("process {}, expected ", std::process::id())), "{}", stderr(&output));

    let mut daemon = start(&[&options[..], &["60s"]].concat(), "sleep 600 & echo grandchild $!; wait");
    let grandchild = line(&mut daemon, "grandchild ").await;
    pid.store(grandchild.parse().expect("a pid"), Ordering::Relaxed);
    line(&mut daemon, "run 1: ready").await;
    daemon.signal(Signal::Terminate).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(143));

    let output = run(&["--ready-url", "tcp://127.0.0.1:9", "--expect-child"], "exit 7").await;
    assert_eq!(output.status.code(), Some(2));
    let told = "error: --expect-child: no answer of `tcp://127.0.0.1:9` tells a pid";
    assert!(stderr(&output).starts_with(told), "{}", stderr(&output));
}

#[tokio::test]
async fn readiness_by_systemd_notify_is_heard() {
    let script = "command -v systemd-notify >/dev/null || exit 127; systemd-notify --ready && exec sleep 600";
    let mut daemon = start(&["--ready-notify", "--restart", "never"], script);
    let ready = |line: &OutputLine| line.text.starts_with("run 1: ready").then_some(());
    if daemon.wait_for_line(ready, PATIENCE).await.is_err() {
        assert!(daemon.last_lines().iter().any(|line| line.text.contains("127")), "{:?}", daemon.last_lines());
        return crate::notify::skipped("systemd-notify");
    }
    daemon.signal(Signal::Interrupt).expect("a child");
    assert_eq!(code(&mut daemon).await, Some(130));
}

#[tokio::test]
async fn one_pid_file_has_one_daemon_unless_it_is_replaced() {
    let folder = Folder::new("run-1");
    let (path, log) = (folder.path().join("pid"), folder.path().join("log"));
    let (path, log) = (path.to_str().expect("a name"), log.to_str().expect("a name"));
    let script = "echo up $$; exec sleep 600";
    let mut first = start(&["--pid-file", path, "--log-file", log], script);
    let child = line(&mut first, "up ").await;

    let output = run(&["--pid-file", path], script).await;
    assert_eq!(output.status.code(), Some(1));
    let held = format!("error: `{path}` is held by process {}", first.pid());
    assert!(stderr(&output).starts_with(&held), "{}", stderr(&output));

    let mut second = start(&["--pid-file", path, "--replace"], script);
    line(&mut second, "up ").await;
    assert_eq!(code(&mut first).await, Some(143));
    assert!(!runs(&child));
    assert!(std::fs::read_to_string(log).expect("a file").starts_with("up "));
    second.signal(Signal::Terminate).expect("a child");
    assert_eq!(code(&mut second).await, Some(143));
    assert!(!std::path::Path::new(path).exists());
}
