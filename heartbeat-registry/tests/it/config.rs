//! The file that `--config` names, and what else all binaries of this workspace take.

use std::process::{Command, Output};
use std::time::Duration;

use heartbeat_registry::WorkerRegistry;

use crate::token_commands::{Registry, command};
use crate::token_files::Folder;
use crate::wire::Server;
use crate::world::plain;

/// A configuration file, and the binary that is told of it.
struct Config(Folder);

impl Config {
    fn new(toml: &str) -> Self {
        let config = Self(Folder::new());
        std::fs::write(config.path(), toml).unwrap();
        config
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path("c.toml")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.env("HEARTBEAT_CONFIG", self.path());
        command
    }

    /// What it says where this file is refused, without the path.
    fn refusal(&self) -> String {
        let ended = self.command(&["serve"]).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        String::from_utf8(ended.stderr).unwrap().trim_end().replace(self.path().to_str().unwrap(), "F")
    }
}

fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn arguments_come_before_variables_and_those_before_the_file_and_that_before_defaults() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    // What a command requires may come from the file, for several commands at once.
    let config =
        Config::new(&format!("[token]\ntokens = {tokens:?}\n[token.create]\nscope = [\"read\", \"operate\"]\n"));
    printed(&mut config.command(&["token", "create", "--name", "ops"]));
    assert!(printed(&mut config.command(&["token", "list"])).contains("NAME"));
    let config = Config::new(&format!("tokens = {tokens:?}\n[token.list]\noutput = \"json\"\n"));
    let list = || config.command(&["token", "list"]);
    let by_file = printed(&mut list());
    assert!(by_file.starts_with('[') && by_file.contains("operate"), "{by_file}");
    assert!(printed(list().env("HEARTBEAT_OUTPUT", "jsonl")).starts_with('{'));
    assert!(printed(list().env("HEARTBEAT_OUTPUT", "jsonl").args(["--output", "table"])).contains("NAME"));
}

#[tokio::test]
async fn a_list_is_taken_from_the_file_and_replaced_as_a_whole() {
    let server = Server::start().await;
    WorkerRegistry::new(&server.fleet).record(plain("w")).unwrap();
    let config = Config::new(&format!(
        "registry = \"http://{}\"\n[list]\noutput = \"jsonl\"\nstate = [\"degraded\", \"failed\"]\n",
        server.address
    ));
    let count = async |args: &[&str]| {
        let mut list = config.command(args);
        tokio::task::spawn_blocking(move || printed(&mut list).lines().count()).await.unwrap()
    };
    assert_eq!(count(&["list"]).await, 0);
    assert_eq!(count(&["list", "--state", "healthy,degraded"]).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_registry_takes_the_file_of_the_readme() {
    let page = include_str!("../../../README.md");
    let (_, section) = page.split_once("### Flags, variables and a file").unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let shown = block.split_once("```").unwrap().0;
    assert!(shown.contains("drain = \"10s\""));
    let config = Config::new(&shown.replace("drain = \"10s\"", "drain = \"1h\""));
    let mut registry = Registry::start(&["--config", config.path().to_str().unwrap()]);
    registry.terminate();
    let unready = async {
        while registry.connect().await.get("/readyz").await.status != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), unready).await.expect("it drains");
    registry.terminate();
    assert_eq!(registry.code().await, Some(0));
}

#[test]
fn a_truth_in_the_file_is_one_unless_a_variable_says_otherwise() {
    // An address for documentation, which no machine has: who gets past the check cannot listen.
    let config = Config::new("[serve]\nlisten = \"192.0.2.1:0\"\ninsecure = true\n");
    let serve = || config.command(&["serve"]);
    assert_eq!(serve().output().unwrap().status.code(), Some(1));
    assert_eq!(serve().env("HEARTBEAT_INSECURE", "no").output().unwrap().status.code(), Some(2));
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    for (toml, expected) in [
        (
            "[serve]\nlisten = \"127.0.0.1:0\"\ntoken = \"a\"\n",
            "error: F:3:1: serve.token: unknown; did you mean tokens?",
        ),
        ("[serve]\nno-probes = 1\n", "error: F:2:13: serve.no-probes: expected true or false, not integer"),
        ("[serve]\ndrain = \"soon\"\n", "error: F:2:9: serve.drain: invalid value 'soon' for '--drain <DURATION>'"),
        ("[serve]\nlisten = \"127.0.0.1:0\n", "error: F:2:"),
        ("[token.crate]\n", "error: F:1:8: [token.crate]: unknown; did you mean create?"),
    ] {
        let told = Config::new(toml).refusal();
        assert!(told.starts_with(expected), "{toml:?}: {told}");
    }
    let missing = Config::new("");
    std::fs::remove_file(missing.path()).unwrap();
    assert!(missing.refusal().starts_with("error: the configuration file F: No such file"));
}

#[test]
fn there_are_completions_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&mut command(&["completions", shell]));
        assert!(script.contains("verify-only-networks") && script.contains("config"), "{shell}");
    }
}
