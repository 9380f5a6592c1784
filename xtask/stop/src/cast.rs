//! The processes that take part.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::outcome::Outcome;
use crate::plan::{Group, Plan};

/// Everyone. Killed when dropped.
pub(crate) struct Cast {
    pub(crate) url: String,
    registry: Child,
    groups: Vec<(Group, Child)>,
    /// Passes on what the registry says.
    says: Option<JoinHandle<io::Result<u64>>>,
}

impl Cast {
    /// Starts the registry and all members.
    pub(crate) fn start(plan: &Plan) -> Outcome<Self> {
        let files = raise_limit_of_files()?;
        println!(
            "{} files may be open in each process",
            files.map_or_else(|| "any number of".to_owned(), |n| n.to_string())
        );
        let program = std::env::current_exe()?;
        let (registry, url, says) = start_registry(&program.with_file_name("heartbeat-registry"))?;
        let mut cast = Self { url, registry, groups: Vec::new(), says: Some(says) };
        for group in plan.groups() {
            let child = start_members(&program, &cast.url, &group, plan)?;
            cast.groups.push((group, child));
        }
        Ok(cast)
    }

    /// SIGSTOP.
    pub(crate) fn stop_registry(&self) -> Outcome {
        signal(&self.registry, Signal::STOP)
    }

    /// SIGCONT.
    pub(crate) fn continue_registry(&self) -> Outcome {
        signal(&self.registry, Signal::CONT)
    }

    /// SIGKILL to all that are to die; returns when they are dead.
    pub(crate) fn kill_the_dying(&mut self) -> Outcome {
        for (_, child) in self.groups.iter_mut().filter(|(group, _)| group.dies) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Fails if anyone has ended who should not.
    pub(crate) fn check(&mut self, dying_are_dead: bool) -> Outcome {
        if let Some(status) = self.registry.try_wait()? {
            return Err(format!("the registry ended: {status}").into());
        }
        for (group, child) in &mut self.groups {
            if !(group.dies && dying_are_dead)
                && let Some(status) = child.try_wait()?
            {
                return Err(format!("the members {}* ended: {status}", group.prefix()).into());
            }
        }
        Ok(())
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for child in self.groups.iter_mut().map(|(_, child)| child).chain([&mut self.registry]) {
            if child.kill().and_then(|()| child.wait()).is_err() {
                eprintln!("stop: process {} may still run", child.id());
            }
        }
        if let Some(Err(_) | Ok(Err(_))) = self.says.take().map(JoinHandle::join) {
            eprintln!("stop: something that the registry said is lost");
        }
    }
}

/// As far as may be. What is started inherits it. Returns it, unless there is no limit.
fn raise_limit_of_files() -> Outcome<Option<u64>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}

/// Returns it with its URL, from its first line, `listening on http://127.0.0.1:8500`.
fn start_registry(program: &Path) -> Outcome<(Child, String, JoinHandle<io::Result<u64>>)> {
    let mut command = Command::new(program);
    // Thousands of transitions are told below.
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error"]);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    let read = stderr.read_line(&mut line);
    match line.trim().strip_prefix("listening on ") {
        Some(url) => {
            let url = url.to_owned();
            Ok((child, url, thread::spawn(move || io::copy(&mut stderr, &mut io::stderr()))))
        }
        None => {
            child.kill()?;
            child.wait()?;
            read?;
            Err(format!("the registry says {line:?} first").into())
        }
    }
}

fn start_members(program: &Path, url: &str, group: &Group, plan: &Plan) -> Outcome<Child> {
    let mut command = Command::new(program);
    command.args(["members", "--registry", url, "--prefix", &group.prefix()]);
    command.args(["--count", &group.members.to_string()]);
    command.args(["--interval-ms", &plan.interval.as_millis().to_string()]);
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?)
}

fn signal(child: &Child, signal: Signal) -> Outcome {
    let pid = Pid::from_raw(child.id().try_into()?).ok_or("a child has a process id")?;
    Ok(kill_process(pid, signal)?)
}
