//! `heartbeat-sender run`: what a registry is told of an end.

use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};

use heartbeat_contract::WorkerHeartbeat;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::{binary, text};
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
