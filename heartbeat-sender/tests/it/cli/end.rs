//! `heartbeat-sender run`: what a registry is told of an end.

use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};

use heartbeat_contract::WorkerHeartbeat;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::{BINARY, binary, text};
use crate::registry::{Registry, soon};

/// A registry that takes all beats of one wrapper, in a process group of its own.
struct Told {
    registry: Registry,
    wrapper: Child,
    lines: BufReader<Receiver>,
}

impl Told {
    async fn start(options: &[&str], script: &str) -> Self {
        let registry = Registry::listen().await;
        let mut command = binary();
        command.args(["run", "--registry", &registry.url]).args(options).args(["--", "sh", "-c", script]);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut wrapper = command.spawn().unwrap();
        let stdout = wrapper.stdout.take().unwrap();
        let lines = BufReader::new(Receiver::from_owned_fd(stdout.into()).unwrap());
        Self { registry, wrapper, lines }
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        soon(self.lines.read_until(b'\n', &mut line)).await.unwrap();
        text(line.trim_ascii_end())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.wrapper)
    }

    /// All beats until one that tells of a death.
    async fn until_a_death(&self) -> Vec<WorkerHeartbeat> {
        let mut beats: Vec<WorkerHeartbeat> = Vec::new();
        while beats.last().is_none_or(|beat| beat.beat.as_ref().is_none_or(|info| info.exit.is_none())) {
            let mut connection = self.registry.accept().await;
            while let Some(request) = connection.hear().await {
                beats.push(request.worker());
                connection.acknowledge().await;
            }
        }
        beats
    }

    /// All beats until the wrapper has ended, and how it ended.
    async fn until_the_end(mut self) -> (Vec<WorkerHeartbeat>, ExitStatus) {
        let mut ended = tokio::task::spawn_blocking(move || self.wrapper.wait().unwrap());
        let mut beats = Vec::new();
        loop {
            tokio::select! {
                status = &mut ended => return (beats, status.unwrap()),
                mut connection = self.registry.accept() => {
                    while let Some(request) = connection.hear().await {
                        beats.push(request.worker());
                        connection.acknowledge().await;
                    }
                }
            }
        }
    }
}

/// The reason of a goodbye, if the last of these beats is one.
fn goodbye(beats: &[WorkerHeartbeat]) -> Option<&str> {
    beats.last()?.beat.as_ref()?.leaving.as_deref()
}

#[tokio::test]
async fn a_signal_to_the_whole_group_is_a_request_to_end_and_no_death() {
    for round in 0..20 {
        let mut told = Told::start(&[], "echo up; exec sleep 1000").await;
        assert_eq!(told.line().await, "up");
        kill_process_group(told.pid(), Signal::TERM).unwrap();
        let (beats, status) = told.until_the_end().await;
        assert_eq!(status.code(), Some(143));
        assert_eq!(goodbye(&beats), Some("SIGTERM"), "round {round}: {:?}", beats.last());
    }
}

#[tokio::test]
async fn an_end_that_is_asked_for_between_two_runs_is_a_goodbye_after_the_death() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1h"];
    let told = Told::start(&restart, "exit 3").await;
    let mut beats = told.until_a_death().await;
    kill_process(told.pid(), Signal::TERM).unwrap();
    let (rest, status) = told.until_the_end().await;
    beats.extend(rest);
    assert_eq!(status.code(), Some(143));
    assert_eq!(goodbye(&beats), Some("SIGTERM"), "{:?}", beats.last());
}

#[tokio::test]
async fn a_goodbye_tells_of_no_work_in_hand() {
    let script = format!("{BINARY} notify READY=1 X_HEARTBEAT_BUSY=1 X_HEARTBEAT_DONE=3");
    let (beats, status) = Told::start(&["--ready", "notify"], &script).await.until_the_end().await;
    assert!(status.success());
    let last = beats.last().unwrap();
    assert_eq!((goodbye(&beats), last.status), (Some("exit 0"), None));
    let progress = last.beat.as_ref().unwrap().progress.as_ref().unwrap();
    assert_eq!((progress.busy, progress.done), (false, 3));
}

#[tokio::test]
async fn success_sooner_than_min_runtime_is_told_as_a_death_and_exits_with_0() {
    let (beats, status) = Told::start(&["--min-runtime", "1h"], "echo done").await.until_the_end().await;
    assert_eq!(status.code(), Some(0));
    let last = beats.last().unwrap();
    let error = last.last_error.as_deref().unwrap();
    assert!(
        error.starts_with("exit 0 after ") && error.contains(" s, sooner than --min-runtime 3600s\ndone"),
        "{error}"
    );
    assert_eq!((goodbye(&beats), last.beat.as_ref().unwrap().exit.and_then(|exit| exit.exit_code)), (None, Some(0)));
}

#[tokio::test]
async fn success_sooner_than_min_runtime_is_run_again_on_failure() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "2", "--min-runtime", "1h"];
    let (beats, status) = Told::start(&restart, "true").await.until_the_end().await;
    assert_eq!(status.code(), Some(0));
    let told = beats.iter().filter(|beat| beat.beat.as_ref().is_some_and(|info| info.exit.is_some())).count();
    assert_eq!(told, 3);
}
