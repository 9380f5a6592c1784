//! A server as a process.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cpu;
use crate::outcome::Outcome;

/// Killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// Passes on what it says.
    says: Option<JoinHandle<io::Result<u64>>>,
}

impl Server {
    /// Starts it, and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        match address(&mut stderr) {
            Ok(address) => {
                let says = thread::spawn(move || io::copy(&mut stderr, &mut io::stderr()));
                Ok(Self { child, address, says: Some(says) })
            }
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(format!("{name}: {error}").into())
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time it has taken so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        cpu::of_process(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself has been missed before: its connections broke off.
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("bench: process {} may still run", self.child.id());
        }
        if let Some(Err(_) | Ok(Err(_))) = self.says.take().map(JoinHandle::join) {
            eprintln!("bench: something that process {} said is lost", self.child.id());
        }
    }
}

/// The address in the first line, `listening on http://127.0.0.1:8500`.
fn address(stderr: &mut BufReader<ChildStderr>) -> Outcome<SocketAddr> {
    let mut line = String::new();
    stderr.read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on http://").ok_or_else(|| format!("says {line:?} first"))?;
    Ok(address.parse().map_err(|error| format!("{address}: {error}"))?)
}
