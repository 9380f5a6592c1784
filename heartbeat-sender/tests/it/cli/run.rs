//! `heartbeat-sender run`: what it leaves as it is.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{BINARY, NOWHERE, binary, code, give, text, undisturbed};
use crate::registry::BOUND;

fn run(script: &str) -> std::process::Output {
    give(&["run", "--", "sh", "-c", script])
}

/// A wrapper that runs a shell program.
struct Running {
    child: Child,
    /// One at a time, so that nothing is read that no test asks for.
    lines: Receiver<String>,
}

impl Running {
    fn start(options: &[&str], script: &str) -> Self {
        Self::start_as(binary(), options, script)
    }

    fn start_as(mut binary: Command, options: &[&str], script: &str) -> Self {
        binary.arg("run").args(options).args(["--", "sh", "-c", script]);
        let mut child = binary.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, lines) = sync_channel(0);
        std::thread::spawn(move || output.try_for_each(|line| sender.send(line.unwrap())));
        Self { child, lines }
    }

    /// The next line, or an empty one at the end.
    fn line(&mut self) -> String {
        match self.lines.recv_timeout(BOUND) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => String::new(),
            Err(RecvTimeoutError::Timeout) => {
                self.signal(Signal::TERM);
                panic!("no line within a minute");
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A file of this test's own, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("heartbeat-sender-{name}-{}", std::process::id()));
        fs::remove_file(&path).ok();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

#[test]
fn a_lost_registry_never_changes_the_exit_code_and_codes_are_those_of_env() {
    assert_eq!(run("exit 0").status.code(), Some(0));
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(run("kill -TERM $$").status.code(), Some(143));
    assert_eq!(run("kill -KILL $$").status.code(), Some(137));
    assert_eq!(code(&["run", "--", "/no/such/program"]), Some(127));
    assert_eq!(code(&["run", "--", "/"]), Some(126));
}

#[test]
fn bad_usage_is_2_and_starts_nothing() {
    let file = Scratch::new("usage");
    for options in [
        &["--id", "a b"][..],
        &["--kind", "hive"],
        &["--kind", "stat"],
        &["--registry", "ftp://queen"],
        &["--registry", "queen"],
        &["--interval", "30"],
        &["--interval", "1ms"],
        &["--ready", "soon"],
        &["--ready", "line=up", "--no-output"],
        &["--watchdog", "0s"],
        &["--watchdog-kill"],
        &["--metadata", "job"],
        &["--restart", "sometimes"],
        &["--token-file", "/no/such/file"],
        &["--endpoint", "localhost"],
        &["--on-drain", "15"],
    ] {
        let args = [&["run"], options, &["--", "touch", file.path()]].concat();
        let output = give(&args);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", text(&output.stderr));
        assert!(!file.0.exists(), "{options:?}");
    }
    assert_eq!(code(&["run"]), Some(2));
    let zone = give(&["run", "--zone", "a b", "--", "true"]);
    assert!(text(&zone.stderr).contains("' ' is not allowed in a zone"), "{}", text(&zone.stderr));
}

#[test]
fn that_no_registry_has_heard_of_a_command_is_told_once() {
    let output = give(&["run", "--interval", "100ms", "--", "sleep", "2"]);
    let told = text(&output.stderr);
    assert_eq!(told.matches("no registry has heard of the command yet: cannot connect to ").count(), 1, "{told}");
}

#[test]
fn output_and_input_pass_through_byte_for_byte() {
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut child = binary();
    child.args(["run", "--", "sh", "-c", "tee /dev/stderr"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, sent) = (child.stdin.take().unwrap(), bytes.clone());
    let writing = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.stdout == bytes, "{} bytes of standard output", output.stdout.len());
    assert!(output.stderr == bytes, "{} bytes of standard error", output.stderr.len());
}

#[test]
fn streams_that_lead_to_the_same_place_keep_their_order() {
    let file = Scratch::new("order");
    let out = File::create(&file.0).unwrap();
    let script = "i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); echo $i >&2; i=$((i+1)); done";
    let mut command = binary();
    command.args(["run", "--", "sh", "-c", script]).stdout(out.try_clone().unwrap()).stderr(out);
    assert!(command.status().unwrap().success());
    let lines: Vec<u32> = fs::read_to_string(&file.0).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(lines, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_command_whose_reader_goes_away_is_told_so() {
    let mut running = Running::start(&[], "yes");
    assert_eq!(running.line(), "y");
    let Running { mut child, lines } = running;
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
}

#[test]
fn a_process_that_holds_the_output_does_not_hold_the_wrapper() {
    let mut running = Running::start(&[], "sleep 1000 & echo $!; exit 4");
    let sleeper: i32 = running.line().parse().unwrap();
    assert_eq!(running.code(), Some(4));
    kill_process(Pid::from_raw(sleeper).unwrap(), Signal::KILL).unwrap();
}

/// The binary, also where the tests themselves ignore signals, as below nohup(1).
fn hearing_all() -> Command {
    if cfg!(not(target_os = "linux")) {
        return binary();
    }
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP,INT,QUIT", BINARY]);
    undisturbed(command)
}

#[test]
fn signals_are_passed_on() {
    let script = "for s in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo $s\" $s; done; trap 'echo TERM; exit 9' TERM; \
                  echo ready; while :; do sleep 0.05; done";
    let mut running = Running::start_as(hearing_all(), &[], script);
    assert_eq!(running.line(), "ready");
    for (signal, name) in [
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
    ] {
        running.signal(signal);
        assert_eq!(running.line(), name);
    }
    assert_eq!(running.code(), Some(9));
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let script = format!("trap '' HUP; exec {BINARY} run -- sh -c 'kill -HUP $$ $PPID; echo alive'");
    let output = Command::new("sh").args(["-c", &script]).env("HEARTBEAT_REGISTRY", NOWHERE).output().unwrap();
    assert_eq!((output.status.signal(), text(&output.stdout)), (None, "alive\n".to_owned()), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_keeps_its_terminal_and_ctrl_c_reaches_it_once() {
    let command = format!(
        "exec env --default-signal=INT {BINARY} run -- sh -c 'n=0; trap \"n=\\$((n+1))\" INT; test -t 0 && test -t 1 && test -t 2 && echo ready; \
         read line; sleep 0.3; echo interrupts $n; exit 5'"
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
        .env("HEARTBEAT_REGISTRY", NOWHERE)
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("ready") {
        assert!(screen.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    keys.write_all(b"\x03").unwrap();
    keys.write_all(b"\n").unwrap();
    screen.read_to_string(&mut seen).unwrap();
    assert!(seen.contains("interrupts 1"), "{seen}");
    assert_eq!(terminal.wait().unwrap().code(), Some(5), "{seen}");
}

#[test]
fn another_ones_notify_socket_and_watchdog_are_not_passed_on() {
    let script =
        r#"echo "$WATCHDOG_PID:$WATCHDOG_USEC"; test "$NOTIFY_SOCKET" != /run/another && test -S "$NOTIFY_SOCKET""#;
    for (options, told) in [(&[][..], ":\n"), (&["--watchdog", "1500ms"], ":1500000\n")] {
        let mut command = binary();
        command.arg("run").args(options).args(["--", "sh", "-c", script]);
        command.env("NOTIFY_SOCKET", "/run/another").env("WATCHDOG_USEC", "1").env("WATCHDOG_PID", "1");
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), told.to_owned()));
    }
}

#[test]
fn what_a_command_tells_is_heard_beyond_the_wrapper_too() {
    let place = Scratch::new("outer");
    let outer = std::os::unix::net::UnixDatagram::bind(place.path()).unwrap();
    outer.set_read_timeout(Some(BOUND)).unwrap();
    let hear = || {
        let mut datagram = [0; 4096];
        let length = outer.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..length]).into_owned()
    };
    let script = format!(r#"echo "$WATCHDOG_USEC"; {BINARY} notify MAINPID=1 STATUS=loaded READY=1"#);
    let mut command = binary();
    command.args(["run", "--ready", "notify", "--watchdog", "1h", "--", "sh", "-c", &script]);
    let output = command.env("NOTIFY_SOCKET", place.path()).env("WATCHDOG_USEC", "7000000").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "7000000\n".to_owned()));
    assert_eq!(hear(), "STATUS=loaded\nREADY=1");

    let mut command = binary();
    command.args(["run", "--", "true"]).env("NOTIFY_SOCKET", place.path());
    assert_eq!((command.status().unwrap().code(), hear()), (Some(0), "READY=1".to_owned()));
}

#[test]
fn what_is_logged_names_the_kind_that_was_given() {
    for (kind, id) in [("job", "nightly"), ("worker", "w-1")] {
        let told = text(&give(&["run", "-v", "--kind", kind, "--id", id, "--", "true"]).stderr);
        assert!(told.contains(&format!("left kind={kind} id={id} ")), "{told}");
    }
}

#[test]
fn a_crash_loop_is_given_up_with_the_last_exit_code() {
    let file = Scratch::new("loop");
    let script = format!("echo run >> {}; exit 3", file.path());
    let args =
        ["run", "--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "3", "--", "sh", "-c", &script];
    let output = give(&args);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(fs::read_to_string(&file.0).unwrap().lines().count(), 4);
    assert!(text(&output.stderr).contains("gave up after 3 restarts in a row: exit 3"), "{}", text(&output.stderr));
}

#[test]
fn success_and_an_end_that_was_asked_for_are_not_run_again() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1ms"];
    let mut running = Running::start(&restart, "echo run");
    assert_eq!([running.line(), running.line()], ["run", ""]);
    assert_eq!(running.code(), Some(0));

    let always = ["--restart", "always", "--restart-delay", "1ms"];
    let mut running = Running::start(&always, "trap 'exit 6' TERM; echo run; while :; do sleep 0.05; done");
    assert_eq!(running.line(), "run");
    running.signal(Signal::TERM);
    assert_eq!(running.line(), "");
    assert_eq!(running.code(), Some(6));

    let mut running = Running::start(&["--restart", "always", "--restart-delay", "1h"], "echo run");
    assert_eq!(running.line(), "run");
    // Whether the run has ended by then, or not: nothing comes after it.
    running.signal(Signal::TERM);
    assert_eq!(running.line(), "");
    assert!(matches!(running.code(), Some(0 | 143)));
}

#[test]
fn a_command_that_misses_its_watchdog_is_ended_and_one_that_will_not_end_is_killed() {
    let options = ["--watchdog", "50ms", "--watchdog-kill", "--stop-grace", "50ms"];
    let mut running = Running::start(&options, "trap '' ABRT; echo run; while :; do sleep 0.05; done");
    assert_eq!(running.line(), "run");
    assert_eq!(running.code(), Some(137));
}

#[test]
fn a_wrapper_that_was_stopped_itself_gives_the_command_all_of_its_time_again() {
    let script = "trap 'echo missed; exit 6' ABRT; echo run; sleep 3; echo lived; sleep 600";
    let mut running = Running::start(&["--watchdog", "2s", "--watchdog-kill"], script);
    assert_eq!(running.line(), "run");
    running.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(2_600));
    running.signal(Signal::CONT);
    assert_eq!(running.line(), "lived");
    running.signal(Signal::TERM);
    assert_eq!(running.code(), Some(143));
}
