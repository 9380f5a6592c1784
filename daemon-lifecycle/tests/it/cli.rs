use std::process::{Command, Output};

use crate::server::{Refusing, Server, status};

fn wait(args: &[&str]) -> Output {
    run(&[&["wait"], args].concat())
}

/// Runs the binary in the environment of this test, less what would set its flags.
fn run(args: &[&str]) -> Output {
    command(args).output().expect("the binary starts")
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemon-lifecycle"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEARTBEAT_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wait_succeeds_once_all_urls_are_healthy() {
    let late = Server::by_turns(|turn| match turn {
        1 => status("503 Service Unavailable", "starting"),
        _ => status("200 OK", "ok"),
    })
    .await;
    let ready = Server::answering(status("200 OK", "ok")).await;
    let output = wait(&[&late.url("/"), &ready.url("/readyz"), "--initial-delay", "1ms", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(rows[0]["url"], late.url("/health"));
    assert_eq!((&rows[0]["healthy"], &rows[0]["attempts"]), (&true.into(), &2.into()));
    assert_eq!(rows[1]["url"], ready.url("/readyz"));
    assert_eq!((&rows[1]["attempts"], &rows[1]["error"]), (&1.into(), &serde_json::Value::Null));
    assert!(stderr(&output).contains("status 503 (starting)"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_unhealthy_url_is_a_timeout_and_keeps_the_command_from_running() {
    let ready = Server::answering(status("200 OK", "ok")).await;
    let refusing = Refusing::new();
    let output = wait(&[&ready.url("/"), &refusing.url(), "--timeout", "1s", "--", "echo", "started"]);
    assert_eq!(output.status.code(), Some(124));
    assert!(stderr(&output).contains("connection refused"), "{}", stderr(&output));
    assert!(!stdout(&output).contains("started"));
    assert!(stdout(&output).contains("unhealthy"), "{}", stdout(&output));

    let output = wait(&[&refusing.url(), "--max-attempts", "2", "--initial-delay", "1ms"]);
    assert_eq!(output.status.code(), Some(124));
    assert!(stderr(&output).contains("not healthy after 2 attempts"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_command_runs_after_the_wait_and_its_end_is_ours() {
    let ready = Server::answering(status("200 OK", "ok")).await;
    let url = ready.url("/");
    let output = wait(&[&url, "--", "sh", "-c", "echo started; exit 7"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(7), "started\n".to_owned()));
    assert_eq!(wait(&[&url, "--", "/no/such/program"]).status.code(), Some(127));
    assert_eq!(wait(&[&url, "--", "/"]).status.code(), Some(126));
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        let output = wait(&[&url, "--", "sh", "-c", "kill -TERM $$"]);
        assert_eq!(output.status.signal(), Some(15));
    }
}

#[test]
fn settings_that_make_no_sense_are_usage_errors_before_any_request() {
    for args in [
        &[][..],
        &["ftp://127.0.0.1/"],
        &["localhost:1"],
        &["http://127.0.0.1:9", "--multiplier", "0.5"],
        &["http://127.0.0.1:9", "--max-attempts", "0"],
        &["http://127.0.0.1:9", "--timeout", "30"],
        &["http://127.0.0.1:9", "--timeout", "0s"],
        &["http://127.0.0.1:9", "--output", "xml"],
    ] {
        let output = wait(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn every_flag_has_an_environment_variable() {
    let help = stdout(&wait(&["--help"]));
    for flag in ["timeout", "max-attempts", "initial-delay", "multiplier", "attempt-timeout", "output"] {
        let variable = format!("HEARTBEAT_WAIT_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable} is missing from:\n{help}");
    }
}

#[test]
fn there_are_completions_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("attempt-timeout"), "{shell}: {}", stdout(&output));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_wait_with_130() {
    use std::io::{BufRead, BufReader};
    let refusing = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { Refusing::new() })
    };
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut waiting = Command::new(env!("CARGO_BIN_EXE_daemon-lifecycle"))
            .args(["wait", &refusing.url(), "--initial-delay", "1h", "--timeout", "2h"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // Once it has said that it waits, it listens for signals too.
        let mut said = String::new();
        let stderr = waiting.stderr.take().expect("a pipe");
        BufReader::new(stderr).read_line(&mut said).expect("a line");
        assert!(said.contains("connection refused"), "{said}");
        let sent = Command::new("kill").args([format!("-{signal}"), waiting.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
        assert_eq!(waiting.wait().expect("a child").code(), Some(code));
    }
}
