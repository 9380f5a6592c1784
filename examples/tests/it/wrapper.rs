//! heartbeat-sender's binary, as a process.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::waiting::soon;

/// Where nobody listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sender-binary");

/// A process that ends with its test.
pub(crate) struct Sender {
    child: Child,
    keys: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sender {
    /// In the environment of this test, less what would set its flags.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEARTBEAT_") {
                command.env_remove(name);
            }
        }
        command.args(args).env("SENDER", BINARY).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { keys: child.stdin.take(), child, lines }
    }

    /// Wraps a shell program.
    pub(crate) fn wrap(url: &str, id: &str, options: &[&str], script: &str) -> Self {
        Self::start(&[&["run", "--registry", url, "--id", id], options, &["--", "sh", "-c", script]].concat())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Lets a program that reads lines go on.
    pub(crate) async fn go_on(&mut self) {
        self.keys.as_mut().unwrap().write_all(b"\n").await.unwrap();
    }

    pub(crate) async fn line(&mut self) -> String {
        soon("a line", self.lines.next_line()).await.unwrap().unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    pub(crate) async fn code(mut self) -> Option<i32> {
        soon("the end of a process", self.child.wait()).await.unwrap().code()
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}
