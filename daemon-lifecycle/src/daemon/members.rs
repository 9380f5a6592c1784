use rustix::{
    io::Errno,
    process::{Pid, test_kill_process_group},
};

/// Whether any process of a group still runs, beside one that does not count.
///
/// The dead that nobody has reaped yet do not count, though they keep their number: where PID 1 of a container never
/// reaps orphans, waiting for those to go would be waiting for ever.
pub(crate) fn anyone_runs(group: Pid, beside: Option<Pid>) -> bool {
    test_kill_process_group(group) != Err(Errno::SRCH) && !all_zombies(group, beside)
}

#[cfg(target_os = "linux")]
fn all_zombies(group: Pid, beside: Option<Pid>) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let beside = beside.map(|pid| pid.as_raw_pid().to_string());
    let others = processes.flatten().filter(|process| beside.as_ref().is_none_or(|pid| process.file_name() != **pid));
    let stats = others.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    !stats.into_iter().any(|stat| runs_in(group.as_raw_pid(), &stat))
}

#[cfg(not(target_os = "linux"))]
fn all_zombies(_: Pid, _: Option<Pid>) -> bool {
    false
}

/// Reads one `/proc/PID/stat`: `pid (name) state parent group ..`, where the name may hold anything.
#[cfg(target_os = "linux")]
fn runs_in(group: i32, stat: &str) -> bool {
    let Some((_, after_name)) = stat.rsplit_once(')') else {
        return false;
    };
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next();
    let found = fields.nth(1).and_then(|found| found.parse().ok());
    found == Some(group) && !matches!(state, Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Command};

    use rustix::process::{Pid, Signal, kill_process_group};

    use super::anyone_runs;

    #[test]
    fn a_group_of_unreaped_dead_has_nobody_running() {
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let group = Pid::from_child(&child);
        assert!(anyone_runs(group, None));
        assert_eq!(anyone_runs(group, Some(group)), !cfg!(target_os = "linux"));
        kill_process_group(group, Signal::KILL).expect("a group to kill");
        let status = rustix::process::waitid(
            rustix::process::WaitId::Pid(group),
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
        );
        assert!(status.expect("a child").is_some(), "dead, and not reaped");
        assert_eq!(anyone_runs(group, None), !cfg!(target_os = "linux"));
        child.wait().expect("a child to reap");
        assert!(!anyone_runs(group, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        use super::runs_in;
        assert!(runs_in(77, "123 (a) Z 1 (b) S 1 77 77 0 -1"));
        assert!(!runs_in(77, "123 (sh) Z 1 77 77 0 -1"));
        assert!(!runs_in(77, "123 (sh) S 77 1 77 0 -1"));
        assert!(!runs_in(77, "nonsense"));
    }
}
