//! Processor time, as Linux counts it.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::outcome::Outcome;

/// Linux tells times to user space in hundredths of a second, whatever it counts in itself.
const TICKS_PER_SECOND: u32 = 100;

/// What all threads of a process have taken so far, in user space and in the kernel.
pub(crate) fn of_process(pid: u32) -> Outcome<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let ticks = ticks(&stat).ok_or_else(|| format!("{path} tells something else: {stat}"))?;
    Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
}

/// What this thread has taken so far.
pub(crate) fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread has taken no negative time")
}

/// The fields `utime` and `stime` of proc_pid_stat(5). The name of the program before them may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse);
    let (user, kernel): (u64, u64) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(user + kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_are_added_whatever_the_program_is_called() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 120 0 0 0 31 11 5 6 20 0 1 0 66792";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn time_that_a_thread_spends_counts() {
        let before = of_this_thread();
        while of_this_thread() == before {}
        assert!(of_process(std::process::id()).is_ok());
    }
}
