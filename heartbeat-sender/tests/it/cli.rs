//! The binary, as a process.

use std::process::{Command, Output, Stdio};

mod beat;
mod config;
mod end;
mod run;

const BINARY: &str = env!("CARGO_BIN_EXE_heartbeat-sender");
/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The binary in the environment of this test.
fn binary() -> Command {
    undisturbed(Command::new(BINARY))
}

/// Less what would set flags of the binary.
fn undisturbed(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEARTBEAT_") {
            command.env_remove(name);
        }
    }
    command.env("HEARTBEAT_REGISTRY", NOWHERE).stdin(Stdio::null());
    command
}

fn give(args: &[&str]) -> Output {
    binary().args(args).output().unwrap()
}

fn code(args: &[&str]) -> Option<i32> {
    give(args).status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn variables_have_the_names_that_are_told() {
    for (command, flags) in [
        ("run", &["REGISTRY", "TOKEN_FILE", "ID", "KIND", "INTERVAL", "HIVE", "ZONE", "ENDPOINT", "VERBOSE"][..]),
        ("run", &["RUN_READY", "RUN_WATCHDOG", "RUN_WATCHDOG_KILL", "RUN_METADATA", "RUN_NO_OUTPUT", "RUN_TAIL"]),
        (
            "run",
            &[
                "RUN_RESTART",
                "RUN_RESTART_DELAY",
                "RUN_RESTART_LIMIT",
                "RUN_STOP_GRACE",
                "RUN_MIN_RUNTIME",
                "RUN_TOLERATE",
            ],
        ),
        ("run", &["RUN_ON_DRAIN", "RUN_ON_SHUTDOWN"]),
        ("hive", &["REGISTRY", "TOKEN_FILE", "HIVE", "INTERVAL", "ZONE", "ENDPOINT", "HIVE_WATCH", "HIVE_RELAY"]),
        ("hive", &["HIVE_RELAY_MODE", "VERBOSE"]),
        ("beat", &["REGISTRY", "TOKEN_FILE", "ID", "KIND", "HIVE", "ZONE", "ENDPOINT", "OUTPUT"]),
        ("beat", &["BEAT_STATUS", "BEAT_HEALTH", "BEAT_QUEUE_DEPTH", "BEAT_MODEL", "BEAT_ERROR", "BEAT_METRIC"]),
        ("beat", &["BEAT_INTERVAL", "BEAT_LEAVING", "BEAT_STDIN", "CONFIG"]),
    ] {
        let help = text(&give(&[command, "--help"]).stdout);
        for flag in flags {
            assert!(
                help.contains(&format!("HEARTBEAT_{flag}=")),
                "{command}: HEARTBEAT_{flag} is missing from:\n{help}"
            );
        }
    }
}

#[test]
fn a_boolean_variable_takes_the_usual_words() {
    let given = |value: &str| {
        let mut command = binary();
        let output = command.args(["run", "--", "sh", "-c", "exit 7"]).env("HEARTBEAT_RUN_NO_OUTPUT", value).output();
        output.unwrap().status.code()
    };
    for value in ["1", "0", "yes", "off", "true"] {
        assert_eq!(given(value), Some(7), "{value}");
    }
    assert_eq!(given("perhaps"), Some(2));
}

#[test]
fn there_are_completions_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = give(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("watchdog-kill"), "{shell}");
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_named() {
    for socket in ["/no/such/socket".to_owned(), format!("/{}", "x".repeat(200))] {
        let output = binary().args(["notify", "READY=1"]).env("NOTIFY_SOCKET", &socket).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(&format!("NOTIFY_SOCKET={socket}: ")), "{}", text(&output.stderr));
    }
    let alone = binary().args(["notify", "READY=1"]).env_remove("NOTIFY_SOCKET").output().unwrap();
    assert!(alone.status.success());
}
