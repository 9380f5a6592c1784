//! The processes of workers, watched until they are gone.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use heartbeat_contract::{MemberId, ProcessExit};
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::exits::Exits;
use super::watched::{Place, Watched};
use crate::relay::Peer;

/// At most so many processes are watched; workers beyond it are judged by their silence alone.
const MOST: usize = 4096;
/// The clock of process starts ticks this coarsely.
const COARSENESS: Duration = Duration::from_millis(50);

/// Whom to watch, who is watched, and who is gone.
pub(super) struct Pids {
    given: Vec<(Watched, Option<u32>)>,
    watched: HashMap<MemberId, Process>,
    /// Processes that could not be watched, which the log says already.
    unwatched: HashMap<MemberId, u32>,
    exits: Exits,
}

/// One process, of one run of a worker.
struct Process {
    pid: u32,
    incarnation: Option<u64>,
    /// When it began, in ticks since the machine did: with the pid, what makes it this process and no other.
    start: Option<u64>,
    /// Readable once it has ended, where the system offers that.
    descriptor: Option<AsyncFd<OwnedFd>>,
}

impl Pids {
    pub(super) fn new(given: &[Watched]) -> Self {
        let given = given.iter().map(|watched| (watched.clone(), None)).collect();
        Self { given, watched: HashMap::new(), unwatched: HashMap::new(), exits: Exits::default() }
    }

    /// A worker has beaten, from this process.
    pub(super) fn beats(&mut self, peer: Peer, now: Instant) {
        let Peer { id, incarnation, pid, is_last } = peer;
        if is_last {
            // Its end is no news, and its next run begins anew.
            self.watched.remove(&id);
            self.unwatched.remove(&id);
            return;
        }
        let known = self.watched.get(&id).map(|process| (process.pid, process.incarnation));
        if known == Some((pid, incarnation)) {
            return;
        }
        // Its last process may have ended a moment ago.
        if let Some(process) = self.watched.remove(&id)
            && process.has_ended()
        {
            self.exits.add(process.exit(id.clone()), now);
        }
        self.watch(id, pid, incarnation);
    }

    /// Waits until one of them is gone.
    ///
    /// # Cancel safety
    /// Safe: the end of a process stays to be seen.
    pub(super) async fn ended(&self) {
        std::future::poll_fn(|context| {
            let mut descriptors = self.watched.values().filter_map(|process| process.descriptor.as_ref());
            let is_over = |descriptor: &AsyncFd<OwnedFd>| descriptor.poll_read_ready(context).is_ready();
            if descriptors.by_ref().map(is_over).fold(false, |one, other| one | other) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Notes who is gone; tells whether anyone is.
    pub(super) fn collect(&mut self, now: Instant) -> bool {
        let gone: Vec<MemberId> =
            self.watched.iter().filter(|(_, process)| process.has_ended()).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            if let Some(process) = self.watched.remove(id) {
                tracing::warn!(worker = %id, pid = process.pid, "a worker's process is gone");
                self.exits.add(process.exit(id.clone()), now);
            }
        }
        !gone.is_empty()
    }

    /// Looks for what nobody tells of: processes where the system tells of no end, and new ones in pid files.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let has_news = self.collect(now);
        for n in 0..self.given.len() {
            let (watched, last) = &self.given[n];
            let pid = match (&watched.place, last) {
                (Place::Pid(_), Some(_)) => None,
                _ => watched.pid().filter(|pid| Some(*pid) != *last),
            };
            if let Some(pid) = pid {
                let id = watched.id.clone();
                self.given[n].1 = Some(pid);
                self.watch(id, pid, None);
            }
        }
        has_news
    }

    /// Those who were to be watched, and of whom no process has been found so far.
    pub(super) fn unfound(&self) -> impl Iterator<Item = &MemberId> {
        self.given.iter().filter(|(_, found)| found.is_none()).map(|(watched, _)| &watched.id)
    }

    /// What to tell the registry.
    pub(super) fn told(&mut self, now: Instant) -> Vec<ProcessExit> {
        self.exits.told(now)
    }

    fn watch(&mut self, id: MemberId, pid: u32, incarnation: Option<u64>) {
        if self.watched.len() >= MOST && !self.watched.contains_key(&id) {
            return;
        }
        match Process::of(pid, incarnation) {
            Ok(process) => {
                self.unwatched.remove(&id);
                self.watched.insert(id, process);
            }
            Err(error) => self.cannot_watch(id, pid, &error),
        }
    }

    /// Each of its beats tries again, and is worth no line of its own.
    fn cannot_watch(&mut self, id: MemberId, pid: u32, error: &io::Error) {
        let is_known = self.unwatched.get(&id) == Some(&pid);
        if !is_known && self.unwatched.len() < MOST {
            tracing::warn!(worker = %id, pid, %error, "cannot watch a worker's process");
            self.unwatched.insert(id, pid);
        }
    }
}

impl Process {
    fn of(pid: u32, incarnation: Option<u64>) -> io::Result<Self> {
        Ok(Self { pid, incarnation, start: start_of(pid), descriptor: descriptor_of(pid)? })
    }

    fn has_ended(&self) -> bool {
        // Another start under the same number is another process; a zombie does nothing any more.
        start_of(self.pid).is_none_or(|start| Some(start) != self.start)
    }

    fn exit(&self, worker_id: MemberId) -> ProcessExit {
        ProcessExit { incarnation: self.incarnation, pid: Some(self.pid), ..ProcessExit::new(worker_id) }
    }
}

/// Elsewhere than on Linux, a process is told from another of the same number by nothing.
#[cfg(not(target_os = "linux"))]
fn start_of(pid: u32) -> Option<u64> {
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)?;
    rustix::process::test_kill_process(raw).is_ok().then_some(0)
}

/// When a process that runs began, in clock ticks since the machine did; `None` if it is gone, or a zombie.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, also parentheses and blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    // The state is the third field of proc_pid_stat(5), the start the twenty-second.
    let start = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(start)
}

/// Whether the process of this pid began after a moment, so that the pid meant another then.
pub(super) fn started_after(pid: u32, moment: SystemTime) -> bool {
    let made = fs::metadata(format!("/proc/{pid}")).and_then(|process| process.modified());
    made.is_ok_and(|began| began.duration_since(moment).is_ok_and(|after| after > COARSENESS))
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the one way to have tokio wait for a descriptor of a kind it does not know")]
fn descriptor_of(pid: u32) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    match pidfd_open(raw, PidfdFlags::NONBLOCK) {
        // SAFETY: an `OwnedFd` keeps its descriptor, open, for as long as it lives, and lives as long as the `AsyncFd`.
        Ok(descriptor) => Ok(Some(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)),
        // An older kernel, or a sandbox, has none: then the process is looked for once a second.
        Err(_) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn descriptor_of(_pid: u32) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::monotonic;

    fn beat(pid: u32, is_last: bool) -> Peer {
        Peer { id: MemberId::new("worker-1").unwrap(), incarnation: Some(7), pid, is_last }
    }

    #[tokio::test]
    async fn who_has_no_process_yet_is_known_until_it_has_one() {
        let file = std::env::temp_dir().join(format!("heartbeat-sender-unfound-{}", std::process::id()));
        let given = [format!("there={}", std::process::id()), format!("later={}", file.display())];
        let mut pids = Pids::new(&given.map(|given| given.parse().unwrap()));
        pids.look(monotonic());
        assert_eq!(pids.unfound().map(MemberId::as_str).collect::<Vec<_>>(), ["later"]);
        fs::write(&file, std::process::id().to_string()).unwrap();
        pids.look(monotonic());
        fs::remove_file(&file).unwrap();
        assert_eq!(pids.unfound().count(), 0);
    }

    #[test]
    fn a_process_that_cannot_be_watched_is_worth_one_line_in_the_log() {
        static LINES: AtomicU32 = AtomicU32::new(0);
        let counting = || {
            LINES.fetch_add(1, Ordering::Relaxed);
            io::sink()
        };
        let log = tracing_subscriber::fmt().with_writer(counting).finish();
        tracing::subscriber::with_default(log, || {
            let mut pids = Pids::new(&[]);
            for (beat, lines) in [
                (beat(u32::MAX, false), 1),
                (beat(u32::MAX, false), 1),
                (beat(u32::MAX - 1, false), 2),
                (beat(u32::MAX - 1, false), 2),
                (beat(u32::MAX - 1, true), 2),
                (beat(u32::MAX - 1, false), 3),
            ] {
                pids.beats(beat, monotonic());
                assert_eq!(LINES.load(Ordering::Relaxed), lines);
            }
        });
    }
}
