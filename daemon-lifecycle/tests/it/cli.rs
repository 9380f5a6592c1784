use std::process::{Command, Output};

use crate::server::{Refusing, Server, health_json, status};

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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_exit_code_says_why_a_wait_ended_before_its_time() {
    let unauthorized = Server::answering(status("401 Unauthorized", "")).await;
    let missing = Server::answering(status("404 Not Found", "")).await;
    let hour = ["--initial-delay", "1h", "--timeout", "2h"];
    let ended = |url: &str, more: &[&str]| wait(&[&[url], more, &hour[..]].concat());
    for (url, why, code) in [
        (unauthorized.url("/"), ["--max-attempts", "1"], 4),
        (Refusing::new().url(), ["--max-attempts", "1"], 5),
        (missing.url("/"), ["--max-attempts", "1"], 1),
        (missing.url("/"), ["--fatal-on", "tls_name,404"], 1),
        (Refusing::new().url(), ["--fatal-on", "refused"], 5),
    ] {
        let output = ended(&url, &why);
        assert_eq!(output.status.code(), Some(code), "{why:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("not healthy after 1 attempt in"), "{}", stderr(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_url_that_is_given_up_ends_the_wait_for_the_others() {
    let loading = Server::answering(status("503 Service Unavailable", "loading")).await;
    let missing = Server::answering(status("404 Not Found", "")).await;
    let output =
        wait(&[&loading.url("/"), &missing.url("/"), "--fatal-on", "404", "--timeout", "2h", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((&rows[0]["outcome"], &rows[1]["outcome"]), (&"cut_short".into(), &"fatal".into()));
    assert_eq!(rows[1]["failure"], "status");
    assert_eq!(rows[1]["hint"], "wrong endpoint? a url without a path means /health");
    assert_eq!((&rows[1]["recent"][0]["attempt"], &rows[1]["recent"][0]["failure"]), (&1.into(), &"status".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_endpoint_is_waited_for_as_long_as_the_flag_says() {
    let missing = Server::answering(status("404 Not Found", "")).await;
    let ended = |flags: &[&str]| wait(&[&[&missing.url("/"), "--max-delay", "1ms"], flags].concat());
    let output = ended(&["--wrong-endpoint-timeout", "100ms", "--timeout", "20s"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("(given up, waiting on would not mend it)"), "{}", stderr(&output));
    let output = ended(&["--wrong-endpoint-timeout", "0s", "--timeout", "500ms"]);
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn json_says_who_answered_and_every_key_is_always_there() {
    let answer = r#"{"status":"warn","notes":["slow disk"],"instance_id":"7-a","pid":7,"version":"1.2"}"#;
    let server = Server::answering(health_json("200 OK", "", answer)).await;
    let refusing = Refusing::new();
    let healthy = wait(&[&server.url("/"), "--output", "json", "--expect-pid", "7", "--expect-instance", "7-a"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", stderr(&healthy));
    assert!(stderr(&healthy).contains("slow disk"), "{}", stderr(&healthy));
    let failed = wait(&[&refusing.url(), "--output", "json", "--max-attempts", "1"]);
    let row = |output: &Output| -> serde_json::Map<String, serde_json::Value> {
        let mut rows: Vec<_> = serde_json::from_str(&stdout(output)).expect("JSON");
        rows.pop().expect("a row")
    };
    let (healthy, failed) = (row(&healthy), row(&failed));
    assert_eq!(healthy.keys().collect::<Vec<_>>(), failed.keys().collect::<Vec<_>>());
    assert_eq!((&healthy["pid"], &healthy["instance_id"]), (&7.into(), &"7-a".into()));
    assert_eq!((&healthy["version"], &healthy["warning"]), (&"1.2".into(), &"slow disk".into()));
    let tried = &failed["recent"][0]["addresses"][0];
    assert_eq!((&tried["address"], &tried["failure"]), (&refusing.address.to_string().into(), &"refused".into()));

    let output = wait(&[&server.url("/"), "--expect-pid", "8", "--max-attempts", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("process 7, expected 8"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn success_is_wanted_as_often_and_as_long_as_the_flags_say() {
    let server = Server::answering(status("200 OK", "ok")).await;
    let attempts = |args: &[&str]| {
        let output = wait(&[&[&server.url("/"), "--output", "json", "--initial-delay", "1ms"], args].concat());
        let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        rows[0]["attempts"].as_u64().expect("a number")
    };
    assert_eq!(attempts(&["--success-threshold", "3"]), 3);
    assert!(attempts(&["--min-uptime", "200ms"]) > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stderr_that_is_no_terminal_gets_lines_and_no_control_characters() {
    let server = Server::by_turns(|turn| match turn {
        ..=5 => health_json("503 Service Unavailable", "", &format!(r#"{{"progress":0.{turn}}}"#)),
        _ => status("200 OK", "ok"),
    })
    .await;
    let output = wait(&[&server.url("/"), "--initial-delay", "60ms"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = stderr(&output);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.trim_end().contains(char::is_control), "{stderr:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_waited_for_is_told_as_it_was_typed_but_for_credentials() {
    let server = Server::answering(status("200 OK", "ok")).await;
    let bare = format!("http://{}", server.address);
    let secret = format!("http://user:secret@{}", server.address);
    let output = wait(&[&bare, &secret, "--output", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((&rows[0]["given"], &rows[0]["url"]), (&bare.as_str().into(), &server.url("/health").into()));
    assert_eq!(rows[1]["url"], server.url("/health"));
    assert!(!stdout(&output).contains("secret"), "{}", stdout(&output));
    let table = stdout(&wait(&[&bare]));
    assert!(table.contains(&format!("{bare}  healthy")), "{table}");
    let refusing = Refusing::new();
    let table = stdout(&wait(&[&refusing.url(), "--max-attempts", "1"]));
    assert!(table.contains(&format!("{}  unhealthy", refusing.url())), "{table}");

    #[cfg(all(feature = "daemon", unix))]
    {
        let output = wait(&["exec:exit 3", "--max-attempts", "1", "--output", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!((&rows[0]["given"], &rows[0]["url"]), (&"exec:exit 3".into(), &"exec:exit 3".into()));
        assert!(stderr(&output).contains("error: exec:exit 3 not healthy"), "{}", stderr(&output));
    }
}

#[test]
fn help_and_errors_offer_what_this_build_can_ask() {
    let help = stdout(&run(&["wait", "--help"]));
    let error = stderr(&wait(&["ftp://127.0.0.1/"]));
    for (scheme, can) in [
        ("http://", true),
        ("tcp://", true),
        ("https://", cfg!(feature = "rustls")),
        ("unix:///", cfg!(unix)),
        ("http+unix://", cfg!(unix)),
        ("exec:", cfg!(all(feature = "daemon", unix))),
    ] {
        assert_eq!(help.contains(scheme), can, "{scheme} in:\n{help}");
        assert_eq!(error.contains(scheme.trim_end_matches('/')), can, "{scheme} in: {error}");
    }
}

#[cfg(all(feature = "daemon", unix))]
#[test]
fn a_command_is_waited_for_and_no_name_of_a_socket_is_taken_for_one() {
    let folder = crate::folder::Folder::new("cli-exec");
    let file = folder.path().join("seen");
    let line = format!("exec:test -e '{0}' || {{ touch '{0}'; echo not yet; exit 4; }}", file.display());
    let output = wait(&[&line, "--initial-delay", "1ms"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("exit code 4 (not yet)"), "{}", stderr(&output));

    let socket = folder.path().join("d.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a new socket");
    assert_eq!(wait(&[&format!("unix://{}", socket.display())]).status.code(), Some(0));
}

#[cfg(feature = "rustls")]
#[test]
fn settings_of_tls_that_make_no_sense_are_usage_errors() {
    for args in [
        &["--ca-file", "/no/such/file"][..],
        &["--ca-file", "/dev/null"],
        &["--ca-file", "/dev/null", "--insecure"],
        &["--server-name", "not a name"],
    ] {
        let output = wait(&[&["https://127.0.0.1:9"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{args:?}: {}", stderr(&output));
    }
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
        &["http://127.0.0.1:9", "--jitter", "1.1"],
        &["http://127.0.0.1:9", "--jitter", "full"],
        &["http://127.0.0.1:9", "--max-attempts", "0"],
        &["http://127.0.0.1:9", "--timeout", "30"],
        &["http://127.0.0.1:9", "--timeout", "0s"],
        &["http://127.0.0.1:9", "--output", "xml"],
        &["http://127.0.0.1:9", "--success-threshold", "0"],
        &["http://127.0.0.1:9", "--attempt-timeout", "0s"],
        &["http://127.0.0.1:9", "--stall-timeout", "0s"],
        &["http://127.0.0.1:9", "--fatal-on", "weather"],
        &["http://127.0.0.1:9", "--wrong-endpoint-timeout", "soon"],
        &["tcp://127.0.0.1"],
        &["exec:"],
        &["exec: "],
    ] {
        let output = wait(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{args:?}: {}", stderr(&output));
        if let Some(flag) = args.get(1) {
            assert!(stderr(&output).contains(flag), "{flag} is not named: {}", stderr(&output));
        }
    }
}

#[test]
fn every_flag_has_an_environment_variable() {
    has_variables("wait", "HEARTBEAT_WAIT_", "stall-timeout");
    #[cfg(all(feature = "daemon", unix))]
    has_variables("run", "HEARTBEAT_SUPERVISE_", "liveness-url");
}

fn has_variables(command: &str, prefix: &str, known: &str) {
    let help = stdout(&run(&[command, "--help"]));
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags: Vec<&str> = flags.filter_map(|flag| flag.split([' ', '=']).next()).collect();
    assert!(flags.len() > 10 && flags.contains(&known), "{flags:?}");
    for flag in flags.into_iter().filter(|flag| *flag != "config") {
        let variable = format!("{prefix}{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable} is missing from:\n{help}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn json_lines_are_the_rows_of_the_json_document() {
    let ready = Server::answering(status("200 OK", "ok")).await;
    let refusing = Refusing::new();
    let given = |output: &str| {
        let output = wait(&[&ready.url("/"), &refusing.url(), "--output", output, "--max-attempts", "1"]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        stdout(&output)
    };
    let rows: Vec<serde_json::Map<_, _>> = serde_json::from_str(&given("json")).expect("JSON");
    let lines = given("jsonl");
    let lines: Vec<serde_json::Map<_, _>> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let told = |rows: &[serde_json::Map<String, serde_json::Value>]| {
        rows.iter().map(|row| (row.len(), row["url"].clone(), row["healthy"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&lines), told(&rows));
    assert_eq!(lines.len(), 2);
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
fn bash_completes_the_flags_of_a_subcommand() {
    let completed = r#"source <("$0" completions bash)
        COMP_WORDS=(daemon-lifecycle wait --attempt) COMP_CWORD=2
        _daemon__lifecycle daemon-lifecycle --attempt wait
        echo "${COMPREPLY[*]}""#;
    let output = Command::new("bash").args(["-c", completed, env!("CARGO_BIN_EXE_daemon-lifecycle")]).output();
    assert_eq!(stdout(&output.expect("bash starts")), "--attempt-timeout\n");
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

#[test]
fn help_of_which_the_beginning_is_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command(&["wait", "--help"]).stdout(writer).output().expect("the binary starts");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn an_outcome_that_cannot_be_written_is_said_so() {
    let full = std::fs::File::create("/dev/full").expect("a device");
    let output = command(&["wait", "tcp://127.0.0.1:9", "--max-attempts", "1"]).stdout(full).output();
    let told = stderr(&output.expect("the binary starts"));
    assert!(told.contains("error: cannot write to standard output: No space left"), "{told}");
}
