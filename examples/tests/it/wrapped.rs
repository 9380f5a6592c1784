//! Programs in other languages, wrapped by `heartbeat-sender run`, as a registry sees them.

use std::io::{self, Write};
use std::path::Path;

use heartbeat_contract::{BeatInfo, Cause, EventBody, HealthState, Kind, MemberId, MemberView, Payload};
use heartbeat_registry::http::{Secret, Token, TokenFile, Tokens};
use jiff::Timestamp;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::real_registry::RealRegistry;
use crate::waiting::until;
use crate::wrapper::{NOWHERE, Sender};

/// Goes on with each line of its input.
const PYTHON: &str = r#"
import os, socket, sys
wrapper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
wrapper.connect(os.environ["NOTIFY_SOCKET"])
def tell(*fields):
    wrapper.send("\n".join(fields).encode())
input()
tell("READY=1", "STATUS=model loaded")
input()
tell("X_HEARTBEAT_QUEUE_DEPTH=7", "X_HEARTBEAT_MODEL=llama", "X_HEARTBEAT_BUSY=1", "X_HEARTBEAT_DONE=41")
input()
print("allocating", file=sys.stderr)
print("out of memory", file=sys.stderr)
sys.exit(3)
"#;

/// The same in shell.
const SHELL: &str = r#"
read go
"$SENDER" notify READY=1 "STATUS=model loaded"
read go
"$SENDER" notify X_HEARTBEAT_QUEUE_DEPTH=7 X_HEARTBEAT_MODEL=llama X_HEARTBEAT_BUSY=1 X_HEARTBEAT_DONE=41
read go
echo allocating >&2
echo out of memory >&2
exit 3
"#;

fn field<'a>(view: &'a MemberView, pointer: &str) -> &'a Value {
    view.payload.as_ref().and_then(|payload| payload.pointer(pointer)).unwrap_or(&Value::Null)
}

fn is_missing(program: &str) -> bool {
    let is_missing = std::process::Command::new(program).arg("--version").output().is_err();
    if is_missing {
        // Not println, which the test harness would swallow.
        let skipped = format!("skipped: {program} not found (cargo xtask setup)\n");
        io::stdout().write_all(skipped.as_bytes()).unwrap();
    }
    is_missing
}

/// A program that tells all there is to tell, and fails.
async fn is_seen(id: &str, command: &[&str]) {
    let registry = RealRegistry::start().await;
    let options =
        ["run", "--registry", &registry.url, "--id", id, "--ready", "notify", "--metadata", "job=nightly", "--"];
    let mut program = Sender::start(&[&options, command].concat());
    registry.until_worker(id, "starting", |view| view.status.as_deref() == Some("starting")).await;

    program.go_on().await;
    let ready = registry.until_worker(id, "ready", |view| view.status.as_deref() == Some("idle")).await;
    assert_eq!(field(&ready, "/metadata/status_text"), "model loaded");
    assert_eq!(field(&ready, "/metadata/job"), "nightly");

    program.go_on().await;
    let busy = registry.until_worker(id, "busy", |view| view.status.as_deref() == Some("busy")).await;
    assert_eq!((field(&busy, "/queue_depth"), field(&busy, "/model_loaded")), (&7.into(), &"llama".into()));
    assert_eq!((field(&busy, "/beat/progress/busy"), field(&busy, "/beat/progress/done")), (&true.into(), &41.into()));

    program.go_on().await;
    assert_eq!(program.code().await, Some(3));
    // Told before the wrapper ended: nobody waits for a silence of 95 s.
    let dead = registry.client.member(&Kind::WORKER, &MemberId::new(id).unwrap()).await.unwrap();
    assert_eq!((dead.state, dead.cause), (HealthState::Critical, Some(Cause::ProcessDead)));
    assert!(dead.evidence[0].contains("exited with status 3"), "{:?}", dead.evidence);
    assert_eq!(field(&dead, "/last_error"), "exit 3\nallocating\nout of memory");
    registry.stop().await;
}

#[tokio::test]
async fn a_python_program_is_seen_with_readiness_queue_depth_progress_and_exit_status() {
    if !is_missing("python3") {
        is_seen("python-1", &["python3", "-c", PYTHON]).await;
    }
}

#[tokio::test]
async fn a_shell_program_is_seen_with_readiness_queue_depth_progress_and_exit_status() {
    is_seen("shell-1", &["sh", "-c", SHELL]).await;
}

#[tokio::test]
async fn an_unmodified_systemd_notify_program_is_understood() {
    if is_missing("systemd-notify") {
        return;
    }
    let registry = RealRegistry::start().await;
    // It waits for the wrapper to have heard it.
    let script =
        "systemd-notify --ready --status='up and running' && systemd-notify WATCHDOG=1 && echo told && read go";
    let mut program = Sender::wrap(&registry.url, "unit-1", &["--ready", "notify"], script);
    assert_eq!(program.line().await, "told");
    let ready = registry.until_worker("unit-1", "ready", |view| view.status.as_deref() == Some("idle")).await;
    assert_eq!(field(&ready, "/metadata/status_text"), "up and running");
    program.go_on().await;
    assert_eq!(program.code().await, Some(0));
    registry.stop().await;
}

#[tokio::test]
async fn exit_0_and_a_stop_that_was_asked_for_are_goodbyes_that_say_so() {
    let registry = RealRegistry::start().await;
    let success = Sender::wrap(&registry.url, "job-1", &[], "true");
    assert_eq!(success.code().await, Some(0));
    let mut stopped = Sender::wrap(&registry.url, "job-2", &[], "echo up; exec sleep 1000");
    assert_eq!(stopped.line().await, "up");
    stopped.signal(Signal::TERM);
    assert_eq!(stopped.code().await, Some(143));
    for (id, reason) in [("job-1", "exit 0"), ("job-2", "SIGTERM")] {
        let left = registry.client.member(&Kind::WORKER, &MemberId::new(id).unwrap()).await.unwrap();
        assert_eq!((left.state, field(&left, "/beat/leaving")), (HealthState::Left, &reason.into()), "{id}");
    }
    registry.stop().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_run_or_is_killed_is_no_goodbye() {
    let registry = RealRegistry::start().await;
    let args = ["run", "--registry", &registry.url, "--id", "typo-1", "--", "/no/such/program"];
    assert_eq!(Sender::start(&args).code().await, Some(127));
    assert_eq!(Sender::wrap(&registry.url, "killed-1", &[], "kill -KILL $$").code().await, Some(137));
    for (id, evidence, error) in [
        ("typo-1", "exited with status 127", "cannot run `/no/such/program`: No such file or directory (os error 2)"),
        ("killed-1", "was ended by signal 9", "SIGKILL"),
    ] {
        let dead = registry.client.member(&Kind::WORKER, &MemberId::new(id).unwrap()).await.unwrap();
        assert_eq!((dead.state, dead.cause), (HealthState::Critical, Some(Cause::ProcessDead)), "{id}");
        assert!(dead.evidence[0].contains(evidence), "{:?}", dead.evidence);
        assert_eq!(field(&dead, "/last_error"), error);
    }
    registry.stop().await;
}

#[tokio::test]
async fn each_run_of_a_restarted_command_is_a_new_incarnation() {
    let registry = RealRegistry::start().await;
    let restart = ["--restart", "on-failure", "--restart-delay", "10ms"];
    let mut program = Sender::wrap(&registry.url, "worker-1", &restart, "echo up; read go; exit 3");
    assert_eq!(program.line().await, "up");
    let first = registry.until_healthy("worker-1").await;
    program.go_on().await;
    assert_eq!(program.line().await, "up");
    let second = registry.until_worker("worker-1", "another run", |view| view.restarts == 1).await;
    assert!(second.incarnation > first.incarnation);
    let events = registry.client.events(None, 100).await.unwrap().events;
    let dead = |body: &EventBody| matches!(body, EventBody::Transition { cause: Some(Cause::ProcessDead), .. });
    assert!(events.iter().any(|event| dead(&event.body)), "{events:?}");
    registry.until_healthy("worker-1").await;
    program.signal(Signal::TERM);
    assert_eq!(program.code().await, Some(143));
    registry.stop().await;
}

#[tokio::test]
async fn a_stop_between_two_runs_is_the_goodbye_of_the_run_that_died_and_no_restart() {
    let registry = RealRegistry::start().await;
    let restart = ["--restart", "on-failure", "--restart-delay", "1h"];
    let program = Sender::wrap(&registry.url, "worker-1", &restart, "exit 3");
    let dead = registry.until_worker("worker-1", "a death", |view| view.cause == Some(Cause::ProcessDead)).await;
    program.signal(Signal::TERM);
    assert_eq!(program.code().await, Some(143));
    let left = registry.client.member(&Kind::WORKER, &MemberId::new("worker-1").unwrap()).await.unwrap();
    assert_eq!((left.state, field(&left, "/beat/leaving")), (HealthState::Left, &"SIGTERM".into()));
    assert_eq!((left.restarts, left.incarnation), (0, dead.incarnation));
    registry.stop().await;
}

#[tokio::test]
async fn a_tolerated_failure_shows_as_a_restart_and_as_no_death() {
    let registry = RealRegistry::start().await;
    let restart = ["--restart", "on-failure", "--restart-delay", "10ms", "--tolerate", "1"];
    let mut program = Sender::wrap(&registry.url, "worker-1", &restart, "echo up; read go; exit 3");
    assert_eq!(program.line().await, "up");
    registry.until_healthy("worker-1").await;
    program.go_on().await;
    assert_eq!(program.line().await, "up");
    registry.until_worker("worker-1", "another run", |view| view.restarts == 1).await;
    let told = registry.until_event("the restart", |body| matches!(body, EventBody::Restarted { .. })).await.events;
    let is_worse = |body: &EventBody| matches!(body, EventBody::Transition { to, .. } if *to > HealthState::Healthy);
    assert!(!told.iter().any(|event| is_worse(&event.body)), "{told:?}");
    program.go_on().await;
    registry
        .until_event("a death", |body| matches!(body, EventBody::Transition { cause: Some(Cause::ProcessDead), .. }))
        .await;
    program.signal(Signal::TERM);
    assert_eq!(program.code().await, Some(143));
    registry.stop().await;
}

/// A kind of this test's own.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct JobHeartbeat {
    job_id: MemberId,
    #[serde(default)]
    beat: Option<BeatInfo>,
    #[serde(default)]
    queue_depth: Option<u32>,
    #[serde(default)]
    last_error: Option<String>,
}

impl Payload for JobHeartbeat {
    const KIND: Kind = Kind::from_static("job");
    const ID_FIELD: &'static str = "job_id";

    fn id(&self) -> &MemberId {
        &self.job_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }
}

#[tokio::test]
async fn a_command_can_be_of_a_kind_of_ones_own() {
    let registry = RealRegistry::start_for::<JobHeartbeat>().await;
    let script = r#""$SENDER" notify X_HEARTBEAT_QUEUE_DEPTH=7; exit 3"#;
    // Of two registries, the first is not there.
    let urls = format!("{NOWHERE},{}", registry.url);
    let args = ["run", "--registry", &urls, "--kind", "job", "--id", "job-1", "--", "sh", "-c", script];
    assert_eq!(Sender::start(&args).code().await, Some(3));
    let dead = registry.client.member(&JobHeartbeat::KIND, &MemberId::new("job-1").unwrap()).await.unwrap();
    assert_eq!((dead.state, dead.cause), (HealthState::Critical, Some(Cause::ProcessDead)));
    assert_eq!((field(&dead, "/queue_depth"), field(&dead, "/last_error")), (&7.into(), &"exit 3".into()));
    registry.stop().await;
}

#[tokio::test]
async fn one_beat_can_be_of_a_kind_of_ones_own() {
    let registry = RealRegistry::start_for::<JobHeartbeat>().await;
    let beat = async |id, options: &[&str]| {
        let args = ["beat", "--registry", &registry.url, "--kind", "job", "--id", id];
        Sender::start(&[&args, options].concat()).code().await
    };
    assert_eq!(beat("job-1", &["--queue-depth", "7", "--interval", "1m", "--error", "no disk"]).await, Some(0));
    let seen = registry.client.member(&JobHeartbeat::KIND, &MemberId::new("job-1").unwrap()).await.unwrap();
    assert_eq!((field(&seen, "/queue_depth"), field(&seen, "/last_error")), (&7.into(), &"no disk".into()));
    assert_eq!((seen.state, seen.interval_ms), (HealthState::Healthy, Some(60_000)));
    assert_eq!(beat("job-1", &["--leaving", "done"]).await, Some(0));
    let left = registry.client.member(&JobHeartbeat::KIND, &MemberId::new("job-1").unwrap()).await.unwrap();
    assert_eq!(left.state, HealthState::Left);
    registry.stop().await;
}

#[tokio::test]
async fn a_missed_watchdog_is_unhealthy_until_the_next_sign_of_life() {
    let registry = RealRegistry::start().await;
    let script = r#""$SENDER" notify WATCHDOG=1; echo fed; read go; "$SENDER" notify WATCHDOG_USEC=600000000 WATCHDOG=1; read go"#;
    let mut program = Sender::wrap(&registry.url, "worker-1", &["--watchdog", "300ms"], script);
    assert_eq!(program.line().await, "fed");
    let missed = registry.until_worker("worker-1", "unhealthy", |view| view.state == HealthState::Critical).await;
    assert_eq!(missed.cause, Some(Cause::SelfReported));
    assert!(field(&missed, "/last_error").as_str().unwrap().contains("no WATCHDOG=1 in time"));
    program.go_on().await;
    let fed = registry.until_healthy("worker-1").await;
    assert_eq!(field(&fed, "/beat/progress/done"), 2);
    program.go_on().await;
    assert_eq!(program.code().await, Some(0));
    registry.stop().await;
}

#[tokio::test]
async fn a_line_of_output_tells_that_a_command_is_ready() {
    let registry = RealRegistry::start().await;
    let script = "read go; echo listening on 127.0.0.1:9000; read go";
    let mut program = Sender::wrap(&registry.url, "worker-1", &["--ready", "line=listening on"], script);
    registry.until_worker("worker-1", "starting", |view| view.status.as_deref() == Some("starting")).await;
    program.go_on().await;
    assert_eq!(program.line().await, "listening on 127.0.0.1:9000");
    registry.until_worker("worker-1", "ready", |view| view.status.as_deref() == Some("idle")).await;
    program.go_on().await;
    assert_eq!(program.code().await, Some(0));
    registry.stop().await;
}

#[tokio::test]
async fn what_the_registry_asks_for_comes_as_the_signals_that_were_set() {
    let registry = RealRegistry::start().await;
    let id = MemberId::new("worker-1").unwrap();
    let options = ["--interval", "100ms", "--on-drain", "USR1", "--on-shutdown", "TERM"];
    let script = "trap 'echo draining; \"$SENDER\" notify STOPPING=1' USR1; echo up; while :; do sleep 0.05; done";
    let mut program = Sender::wrap(&registry.url, "worker-1", &options, script);
    assert_eq!(program.line().await, "up");
    registry.until_healthy("worker-1").await;
    registry.client.ask(&Kind::WORKER, &id, heartbeat_contract::Directive::Drain).await.unwrap();
    assert_eq!(program.line().await, "draining");
    registry.until_worker("worker-1", "draining", |view| view.status.as_deref() == Some("draining")).await;
    registry.client.ask(&Kind::WORKER, &id, heartbeat_contract::Directive::Shutdown).await.unwrap();
    assert_eq!(program.code().await, Some(143));
    registry.until_worker("worker-1", "a goodbye", |view| view.state == HealthState::Left).await;
    registry.stop().await;
}

#[tokio::test]
async fn a_registry_that_is_away_comes_back_or_refuses_changes_nothing_for_the_command() {
    assert_eq!(Sender::wrap(NOWHERE, "worker-1", &[], "exit 7").code().await, Some(7));

    let registry = RealRegistry::start().await;
    let mut program = Sender::wrap(&registry.url, "worker-1", &["--interval", "100ms"], "echo up; read go; exit 7");
    assert_eq!(program.line().await, "up");
    registry.until_healthy("worker-1").await;
    let address = registry.stop().await;
    let registry = RealRegistry::start_on(address).await;
    registry.until_healthy("worker-1").await;
    program.go_on().await;
    assert_eq!(program.code().await, Some(7));
    registry.stop().await;

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrapped");
    std::fs::create_dir_all(&folder).unwrap();
    let known = folder.join("known");
    // Left by an earlier run.
    std::fs::remove_file(&known).ok();
    let secret = Secret::generate().unwrap();
    let scopes = vec!["operate".parse().unwrap()];
    TokenFile::at(&known).add(&Token::new("operator", scopes, &secret, Timestamp::UNIX_EPOCH).unwrap()).unwrap();
    let guarded = RealRegistry::start_guarded(Tokens::open(&known).unwrap(), &secret).await;
    assert_eq!(Sender::wrap(&guarded.url, "worker-1", &[], "exit 7").code().await, Some(7));
    let members = async || guarded.client.member(&Kind::WORKER, &MemberId::new("worker-1").unwrap()).await.err();
    until("nobody was let in", members).await;
    guarded.stop().await;
}
