//! The example programs as processes, asked through a registry that wants to see tokens.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use daemon_lifecycle::is_daemon_healthy;
use heartbeat_contract::{Directive, DirectiveOutcome, EventBody, HealthState, Kind, MemberId, MemberView};
use heartbeat_registry::http::{Secret, Token, TokenFile, Tokens};
use jiff::Timestamp;
use tokio::process::{Child, Command};

use crate::programs::path;
use crate::real_registry::RealRegistry;
use crate::waiting::until;

/// A registry with a token for its operator and one for a program, which stands in a file of the program's own.
struct Guarded {
    registry: RealRegistry,
    tokens: TokenFile,
    held: PathBuf,
}

impl Guarded {
    /// `name` is that of the test.
    async fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tokens").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (known, held) = (folder.join("known"), folder.join("held"));
        // Left by an earlier run.
        std::fs::remove_file(&known).ok();
        let tokens = TokenFile::at(&known);
        let operator = token("operator", "operate");
        tokens.add(&operator.0).unwrap();
        let registry = RealRegistry::start_guarded(Tokens::open(&known).unwrap(), &operator.1).await;
        let guarded = Self { registry, tokens, held };
        guarded.hand_out("program");
        guarded
    }

    /// Lets a new token beat, and puts it where the program looks for its own.
    fn hand_out(&self, name: &str) {
        let (token, secret) = token(name, "beat:*:example-");
        self.tokens.add(&token).unwrap();
        std::fs::write(&self.held, format!("{}\n", secret.expose())).unwrap();
    }

    fn example(&self, program: &str) -> Command {
        let mut command = Command::new(path(program));
        command.args(["--registry", &self.registry.url, "--id", id(program).as_ref(), "--interval", "100ms"]);
        command.arg("--token-file").arg(&self.held).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn ask(&self, kind: &Kind, directive: Directive) {
        self.registry.client.ask(kind, &id(kind.as_str()), directive).await.unwrap();
    }

    async fn until(&self, kind: &Kind, what: &str, is_so: impl Fn(&MemberView) -> bool) -> MemberView {
        let id = id(kind.as_str());
        until(what, async || self.registry.client.member(kind, &id).await.ok().filter(&is_so)).await
    }

    /// What became of directives, in order.
    async fn directives(&self) -> Vec<(Directive, DirectiveOutcome)> {
        let page = self.registry.client.events(None, 1_000).await.unwrap();
        let directive = |body| match body {
            EventBody::Directive { directive, outcome } => Some((directive, outcome)),
            _ => None,
        };
        page.events.into_iter().filter_map(|event| directive(event.body)).collect()
    }
}

fn token(name: &str, scope: &str) -> (Token, Secret) {
    let secret = Secret::generate().unwrap();
    (Token::new(name, vec![scope.parse().unwrap()], &secret, Timestamp::UNIX_EPOCH).unwrap(), secret)
}

fn id(program: &str) -> MemberId {
    MemberId::new(format!("example-{program}")).unwrap()
}

async fn end_of(mut program: Child) -> ExitStatus {
    until("the end of the program", async || program.try_wait().unwrap()).await
}

fn done(worker: &MemberView) -> u64 {
    worker.payload.as_ref().unwrap()["beat"]["progress"]["done"].as_u64().unwrap_or(0)
}

fn is_busy(worker: &MemberView) -> bool {
    worker.payload.as_ref().unwrap()["beat"]["progress"]["busy"] == true
}

#[tokio::test]
async fn a_worker_drains_when_asked_and_ends_when_asked() {
    let guarded = Guarded::start("worker_drains").await;
    let work = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let worker = guarded.example("worker").args(["--work", work]).spawn().unwrap();
    let working = guarded.until(&Kind::WORKER, "work", |view| done(view) > 0).await;
    let health = working.endpoint.unwrap();
    is_daemon_healthy(&health, None, None).await.unwrap();

    guarded.ask(&Kind::WORKER, Directive::Drain).await;
    let has_drained = |view: &MemberView| view.status.as_deref() == Some("draining") && !is_busy(view);
    let drained = guarded.until(&Kind::WORKER, "a worker that has drained", has_drained).await;
    assert_eq!(drained.directives, []);
    let not_ready = until("not ready", async || is_daemon_healthy(&health, None, None).await.err()).await;
    assert!(not_ready.to_string().contains("draining"), "{not_ready}");
    let ten_later = |view: &MemberView| view.seq >= drained.seq.map(|seq| seq + 10);
    let later = guarded.until(&Kind::WORKER, "more beats", ten_later).await;
    assert_eq!((done(&later), is_busy(&later)), (done(&drained), false));

    guarded.ask(&Kind::WORKER, Directive::Shutdown).await;
    guarded.until(&Kind::WORKER, "a goodbye", |view| view.state == HealthState::Left).await;
    assert!(end_of(worker).await.success());
    let [asked, obeyed] = [DirectiveOutcome::Asked, DirectiveOutcome::Obeyed];
    let expected = [Directive::Drain, Directive::Shutdown].map(|directive| [(directive, asked), (directive, obeyed)]);
    assert_eq!(guarded.directives().await, expected.concat());
    guarded.registry.stop().await;
}

#[tokio::test]
async fn a_hive_ends_when_asked() {
    let guarded = Guarded::start("hive_ends").await;
    let hive = guarded.example("hive").spawn().unwrap();
    guarded.until(&Kind::HIVE, "a beat", |_| true).await;
    guarded.ask(&Kind::HIVE, Directive::Drain).await;
    guarded.ask(&Kind::HIVE, Directive::Shutdown).await;
    guarded.until(&Kind::HIVE, "a goodbye", |view| view.state == HealthState::Left).await;
    assert!(end_of(hive).await.success());
    guarded.registry.stop().await;
}

#[tokio::test]
async fn a_worker_whose_token_is_replaced_goes_on_with_the_new_one() {
    let guarded = Guarded::start("token_replaced").await;
    let mut worker = guarded.example("worker").spawn().unwrap();
    let before = guarded.until(&Kind::WORKER, "a beat", |view| view.seq > Some(2)).await;
    assert!(guarded.tokens.remove("program").unwrap());
    let silent = |view: &MemberView| view.state > HealthState::Healthy && view.state <= HealthState::Failed;
    guarded.until(&Kind::WORKER, "silence without a token", silent).await;
    guarded.hand_out("successor");
    let back = guarded.until(&Kind::WORKER, "beats again", |view| view.state == HealthState::Healthy).await;
    assert_eq!((back.incarnation, back.restarts), (before.incarnation, 0), "it was never started again");
    worker.kill().await.unwrap();
    guarded.registry.stop().await;
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_told_with_its_path_and_cause() {
    for program in ["worker", "hive"] {
        let mut command = Command::new(path(program));
        command.args(["--registry", "http://127.0.0.1:1", "--id", program, "--token-file", "/no-file-has-this-name"]);
        let ended = command.kill_on_drop(true).output();
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it does not start").unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("/no-file-has-this-name") && said.contains("No such file"), "{said}");
    }
}
