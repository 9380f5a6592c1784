use std::time::Duration;

use rustix::process::{Pid, getpid, test_kill_process};

/// A process, told apart from a later one of the same number by when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Clock ticks since the machine was booted; `None` where that is not known.
    pub(crate) start: Option<u64>,
}

impl Process {
    pub(crate) fn this() -> Self {
        let pid = std::process::id();
        Self { pid, start: start_of(pid) }
    }

    /// The process that has this number now, unless it is dead.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        let process = Self { pid, start: start_of(pid) };
        process.lives().then_some(process)
    }

    /// Whether it runs. Where nothing tells when a process was started, any of its number will do.
    pub(crate) fn lives(&self) -> bool {
        if cfg!(target_os = "linux") {
            return self.start.is_some() && start_of(self.pid) == self.start;
        }
        self.id().is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    /// For how long it has run.
    pub(crate) fn age(&self) -> Option<Duration> {
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let started = self.start? as f64 / ticks_per_second as f64;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let now: f64 = uptime.split(' ').next()?.parse().ok()?;
        Duration::try_from_secs_f64(now - started).ok()
    }

    /// Its number, if it is one that a signal may be sent to: neither ours nor everybody's.
    pub(crate) fn id(&self) -> Option<Pid> {
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw);
        pid.filter(|pid| *pid != getpid())
    }
}

/// When a process was started; `None` if it is dead, reaped or not.
fn start_of(pid: u32) -> Option<u64> {
    start_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `pid (name) state ..`, where the name may hold anything, and the time is the 22nd field.
fn start_in(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(start)
}

/// Which boot of the machine this is, where that is known. Ticks are counted anew in each.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Process, start_in};

    #[test]
    fn the_start_is_found_whatever_the_name() {
        let stat = |state| format!("77 (a) S (b) {state} 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8246 2 1");
        assert_eq!(start_in(&stat("S")), Some(8_246));
        assert_eq!(start_in(&stat("Z")), None, "dead");
        assert_eq!(start_in("77 (sh) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_told_from_an_earlier_one_of_its_number() {
        let this = Process::this();
        assert!(this.lives());
        assert!(this.age().expect("a start") < std::time::Duration::from_secs(86_400));
        let earlier = Process { start: this.start.map(|start| start - 1), ..this };
        assert!(!earlier.lives());
    }

    #[test]
    fn no_signal_goes_to_all_or_to_oneself() {
        for pid in [0, 1, u32::MAX, std::process::id()] {
            assert_eq!(Process { pid, start: None }.id(), None, "{pid}");
        }
    }
}
