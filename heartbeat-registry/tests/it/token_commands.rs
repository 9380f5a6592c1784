//! Tokens by the binary: made, listed, revoked, asked for and sent along.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::token_files::Folder;
use crate::wire::{Answer, Connection};

const PROGRAM: &str = env!("CARGO_BIN_EXE_heartbeat-registry");

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEARTBEAT_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str], tokens: &Path) -> Output {
    command(args).env("HEARTBEAT_TOKENS", tokens).output().unwrap()
}

fn create(tokens: &Path, name: &str, scopes: &[&str]) -> String {
    let args = [["token", "create", "--name", name, "--scope"].as_slice(), scopes].concat();
    let made = run(&args, tokens);
    assert!(made.status.success(), "{made:?}");
    let text = String::from_utf8(made.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?}");
    text.trim_end().to_owned()
}

#[track_caller]
fn assert_ends(ended: &Output, code: i32, told: &str) {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
fn a_token_is_shown_once_and_kept_as_a_hash() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    let secret = create(&tokens, "ops", &["operate", "beat:worker:worker-"]);
    assert!(secret.starts_with("hb_") && secret.len() > 60, "{secret}");
    let kept = std::fs::read_to_string(&tokens).unwrap();
    assert!(!kept.contains(&secret[3..]) && kept.contains("sha256"), "{kept}");
    let hash = kept.split('"').rev().nth(1).unwrap();
    for output in ["table", "json", "jsonl"] {
        let listed = String::from_utf8(run(&["token", "list", "--output", output], &tokens).stdout).unwrap();
        assert!(listed.contains("ops") && listed.contains("beat:worker:worker-"), "{listed}");
        assert!(!listed.contains(hash) && !listed.contains(&secret[3..]), "{listed}");
    }
}

#[test]
fn names_are_given_once_and_unknown_ones_cannot_be_revoked() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    create(&tokens, "ops", &["read"]);
    let create = |name, scope| run(&["token", "create", "--name", name, "--scope", scope], &tokens);
    assert_ends(&create("ops", "read"), 2, "there is a token named ops already");
    assert_ends(&create("o p s", "read"), 2, "\"o p s\"");
    assert_ends(&create("other", "all"), 2, "\"all\" is no scope");
    assert_ends(&run(&["token", "revoke", "other"], &tokens), 3, "no token \"other\"");
    assert!(run(&["token", "revoke", "ops"], &tokens).status.success());
    assert_eq!(run(&["token", "list", "--output", "jsonl"], &tokens).stdout, b"");
    std::fs::write(&tokens, "{}").unwrap();
    assert_ends(&run(&["token", "list"], &tokens), 2, "wrong in line 1: missing field");
}

#[test]
fn tokens_that_are_made_at_once_are_all_kept() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    let make = |n| {
        let name = format!("t{n}");
        let mut create = command(&["token", "create", "--name", &name, "--scope", "read", "--tokens"]);
        create.arg(&tokens).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let makers: Vec<Child> = (0..12).map(make).collect();
    assert!(makers.into_iter().all(|mut maker| maker.wait().unwrap().success()));
    let listed = run(&["token", "list", "--output", "jsonl"], &tokens).stdout;
    assert_eq!(String::from_utf8(listed).unwrap().lines().count(), 12);
}

/// A folder that may be changed and not be read cannot be made to survive a crash.
#[cfg(unix)]
#[test]
fn a_token_that_is_in_its_file_was_made() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    let (tokens, within) = (folder.path("tokens"), folder.path("."));
    let mut create = command(&["token", "create", "--name", "ops", "--scope", "read", "--tokens"]);
    if std::fs::metadata(&within).unwrap().uid() == 0 {
        // What root may not do, it may all the same.
        chown(&within, Some(65534), None).unwrap();
        create.uid(65534).current_dir("/");
    }
    std::fs::set_permissions(&within, PermissionsExt::from_mode(0o300)).unwrap();
    let made = create.arg(&tokens).output().unwrap();
    std::fs::set_permissions(&within, PermissionsExt::from_mode(0o700)).unwrap();
    assert_ends(&made, 0, "this is the token ops");
    assert!(std::fs::read_to_string(&tokens).unwrap().contains("ops"));
}

#[test]
fn serve_refuses_to_be_open_to_all_or_to_nobody() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    // An address for documentation, which no machine has: who gets past the check cannot listen.
    let elsewhere = ["serve", "--listen", "192.0.2.1:0"];
    assert_ends(&command(&elsewhere).output().unwrap(), 2, "--tokens FILE");
    assert_ends(&command(&elsewhere).arg("--insecure").output().unwrap(), 1, "cannot listen");
    assert_ends(&run(&elsewhere, &tokens), 2, "heartbeat-registry token create");
    std::fs::write(&tokens, "# none\n").unwrap();
    assert_ends(&run(&["serve"], &tokens), 2, "heartbeat-registry token create");
    create(&tokens, "ops", &["read"]);
    assert_ends(&run(&elsewhere, &tokens), 1, "cannot listen");
    std::fs::write(&tokens, "# none\n{}").unwrap();
    assert_ends(&run(&elsewhere, &tokens), 2, "wrong in line 2: missing field");
}

#[tokio::test]
async fn a_running_registry_refuses_a_token_soon_after_it_was_revoked_and_stays_healthy() {
    let folder = Folder::new();
    let tokens = folder.path("tokens");
    let (keep, lose) = (create(&tokens, "keep", &["read"]), create(&tokens, "lose", &["read"]));
    let registry = Registry::start(&["--tokens", tokens.to_str().unwrap()]);
    let status = async |token: &str| registry.ask("/v1/stats", "any", token).await.status;
    assert_eq!((status(&keep).await, status(&lose).await), (200, 200));
    assert!(run(&["token", "revoke", "lose"], &tokens).status.success());
    tokio::time::timeout(Duration::from_secs(10), async {
        while status(&lose).await != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it is refused in time");
    assert_eq!(status(&keep).await, 200);
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(registry.ask(path, "any", "none").await.status, 200, "{path} asks for no token");
    }
}

#[test]
fn commands_send_the_token_of_a_file_and_exit_with_4_where_it_does_not_do() {
    let folder = Folder::new();
    let (tokens, own) = (folder.path("tokens"), folder.path("own"));
    let (reader, beater) = (create(&tokens, "reader", &["read"]), create(&tokens, "beater", &["beat:*:"]));
    let registry = Registry::start(&["--tokens", tokens.to_str().unwrap()]);
    let stats =
        || command(&["stats", "--registry", &registry.url()]).env("HEARTBEAT_TOKEN_FILE", &own).output().unwrap();
    assert_ends(&stats(), 2, "own");
    std::fs::write(&own, format!("{reader}\n")).unwrap();
    assert_ends(&stats(), 0, "");
    std::fs::write(&own, &beater).unwrap();
    assert_ends(&stats(), 4, "the token beater may not read");
    std::fs::write(&own, "hb_unknown").unwrap();
    assert_ends(&stats(), 4, "not known");
    std::fs::write(&own, format!("{reader} {beater}")).unwrap();
    assert_ends(&stats(), 2, "expected a token and nothing else");
    assert_ends(&command(&["stats", "--registry", &registry.url()]).output().unwrap(), 4, "no bearer token");
}

#[tokio::test]
async fn an_open_registry_answers_only_to_hosts_of_its_own() {
    let registry = Registry::start(&["--allow-host", "queen.example,other.example"]);
    for (host, status) in [("rebound.example", 403), ("localhost", 200), ("queen.example", 200), ("other.example", 200)]
    {
        for path in ["/v1/stats", "/livez"] {
            assert_eq!(registry.ask(path, host, "none").await.status, status, "{host} {path}");
        }
    }
}

/// The binary, serving on a port of its own until it is dropped.
pub(crate) struct Registry {
    address: String,
    process: Child,
}

impl Registry {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--log", "off"]);
        let mut process = serve.args(args).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect(&line).to_owned();
        Self { address, process }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection { stream: TcpStream::connect(&self.address).await.unwrap() }
    }

    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    #[cfg(unix)]
    pub(crate) async fn code(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                match self.process.try_wait().unwrap() {
                    Some(status) => break status.code(),
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it ends")
    }

    async fn ask(&self, path: &str, host: &str, token: &str) -> Answer {
        let mut connection = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
        connection.stream.write_all(request.as_bytes()).await.unwrap();
        connection.answer().await.expect("the registry answers")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
