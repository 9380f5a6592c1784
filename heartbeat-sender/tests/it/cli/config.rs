//! The file that `--config` names.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use heartbeat_contract::{WorkerHeartbeat, WorkerStatus};

use super::{binary, text};
use crate::registry::Registry;

/// A configuration file, gone with its test.
struct Config(PathBuf);

impl Config {
    fn new(name: &str, toml: &str) -> Self {
        let path = std::env::temp_dir().join(format!("heartbeat-sender-{name}-{}.toml", std::process::id()));
        fs::write(&path, toml).unwrap();
        Self(path)
    }

    /// The binary, told of this file and of no registry but by it.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.env_remove("HEARTBEAT_REGISTRY").args(args).args(["--config", self.0.to_str().unwrap()]);
        command
    }

    /// What it says where this file is refused, without the path.
    fn refusal(&self) -> String {
        let output = self.command(&["beat"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        text(&output.stderr).trim_end().replace(self.0.to_str().unwrap(), "F")
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Has a beat sent to a registry; tells what it heard, and what the binary did.
async fn heard(registry: &Registry, mut command: Command) -> (WorkerHeartbeat, Output) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut connection, request) = registry.hear().await;
    connection.acknowledge().await;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    (request.worker(), output)
}

#[tokio::test]
async fn arguments_come_before_variables_and_those_before_the_file_and_that_before_defaults() {
    let registry = Registry::listen().await;
    let toml = format!("registry = [{:?}]\n[beat]\nid = \"w\"\nqueue_depth = 1\noutput = \"jsonl\"\n", registry.url);
    let config = Config::new("precedence", &toml);
    let (by_file, output) = heard(&registry, config.command(&["beat"])).await;
    assert_eq!((by_file.worker_id.as_str(), by_file.queue_depth), ("w", Some(1)));
    assert_eq!((text(&output.stdout).starts_with('{'), text(&output.stdout).lines().count()), (true, 1));
    let with_variable = |args: &[&str]| {
        let mut command = config.command(args);
        command.env("HEARTBEAT_BEAT_QUEUE_DEPTH", "2").env("HEARTBEAT_OUTPUT", "table");
        command
    };
    let (by_variable, output) = heard(&registry, with_variable(&["beat"])).await;
    assert_eq!(by_variable.queue_depth, Some(2));
    assert!(text(&output.stdout).starts_with("acknowledged  yes"), "{}", text(&output.stdout));
    let (by_argument, _) = heard(&registry, with_variable(&["beat", "--queue-depth", "3"])).await;
    assert_eq!(by_argument.queue_depth, Some(3));
}

#[tokio::test]
async fn a_list_a_duration_a_word_and_a_truth_are_taken_from_the_file() {
    let registry = Registry::listen().await;
    let toml = format!(
        "[beat]\nregistry = \"{}\"\nmetric = [\"a=1\", \"b=2.5\"]\ninterval = \"1m30s\"\nstatus = \"busy\"\nstdin = true\n",
        registry.url
    );
    let config = Config::new("types", &toml);
    let beat = config.0.with_extension("json");
    fs::write(&beat, r#"{"worker_id": "w", "model_loaded": "m"}"#).unwrap();
    let mut command = config.command(&["beat"]);
    command.stdin(fs::File::open(&beat).unwrap());
    let (told, _) = heard(&registry, command).await;
    fs::remove_file(&beat).unwrap();
    let metrics = told.metrics.unwrap();
    assert_eq!((metrics["a"], metrics["b"], told.status), (1.0, 2.5, Some(WorkerStatus::Busy)));
    assert_eq!((told.worker_id.as_str(), told.model_loaded.as_deref()), ("w", Some("m")));
    assert_eq!(told.beat.unwrap().interval_ms, Some(90_000));
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    for (toml, expected) in [
        ("[beat]\nid = \"w\"\nmetrics = []\n", "error: F:3:1: beat.metrics: unknown; did you mean metric?"),
        ("[run]\nverbose = \"yes\"\n", "error: F:2:11: run.verbose: expected true or false, not string"),
        ("hive = \"h 1\"\n", "error: F:1:8: hive: invalid value 'h 1' for '--hive <ID>'"),
        ("[beat\n", "error: F:1:"),
        ("[notify]\nfields = [\"READY=1\"]\n", "error: F:2:1: notify.fields: unknown, as is any key here"),
    ] {
        let told = Config::new("wrong", toml).refusal();
        assert!(told.starts_with(expected), "{toml:?}: {told}");
    }
    let missing = Config::new("missing", "");
    fs::remove_file(&missing.0).unwrap();
    assert!(missing.refusal().starts_with("error: the configuration file F: No such file"));
}

#[test]
fn a_wrapped_command_has_the_environment_that_it_has_without_a_file() {
    let toml = "[run]\nregistry = \"http://127.0.0.1:1\"\nid = \"w\"\ntail = 3\nmetadata = [\"a=1\", \"b=2\"]\n";
    let config = Config::new("environment", toml);
    let variables = |mut command: Command| {
        let output = command.args(["--", "env"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        // Each wrapper has a socket of its own.
        let of_all = |line: &&str| !line.starts_with("NOTIFY_SOCKET=");
        text(&output.stdout).lines().filter(of_all).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut plain = binary();
    plain.env_remove("HEARTBEAT_REGISTRY").args(["run", "--registry", "http://127.0.0.1:1"]);
    assert_eq!(variables(config.command(&["run"])), variables(plain));
}

#[test]
fn telling_the_wrapper_takes_no_file() {
    let mut notify = binary();
    notify.args(["notify", "READY=1"]).env("HEARTBEAT_CONFIG", "/no/such/file").env_remove("NOTIFY_SOCKET");
    assert!(notify.status().unwrap().success());
}
