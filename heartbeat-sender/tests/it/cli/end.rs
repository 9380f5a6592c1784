//! `heartbeat-sender run`: what a registry is told of an end.

use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use heartbeat_contract::{BeatInfo, WorkerHeartbeat};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::{BINARY, binary, text};
use crate::registry::{Connection, Registry, soon};

/// A registry that takes all beats of one wrapper, in a process group of its own.
struct Told {
    registry: Registry,
    /// Over which beats may still come.
    open: Option<Connection>,
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
        Self { registry, open: None, wrapper, lines }
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        soon(self.lines.read_until(b'\n', &mut line)).await.unwrap();
        text(line.trim_ascii_end())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.wrapper)
    }

    /// The next beat, over whichever connection.
    async fn beat(&mut self) -> WorkerHeartbeat {
        loop {
            let mut connection = match self.open.take() {
                Some(connection) => connection,
                None => self.registry.accept().await,
            };
            if let Some(request) = connection.hear().await {
                connection.acknowledge().await;
                self.open = Some(connection);
                return request.worker();
            }
        }
    }

    /// All beats until one that tells of a death.
    async fn until_a_death(&mut self) -> Vec<WorkerHeartbeat> {
        let mut beats = Vec::new();
        while beats.last().is_none_or(|beat| info(beat).exit.is_none()) {
            beats.push(self.beat().await);
        }
        beats
    }

    /// All beats until the wrapper has ended, and how it ended.
    async fn until_the_end(mut self) -> (Vec<WorkerHeartbeat>, ExitStatus) {
        let mut ended = tokio::task::spawn_blocking(move || self.wrapper.wait().unwrap());
        let mut beats = Vec::new();
        loop {
            if let Some(mut connection) = self.open.take() {
                while let Some(request) = connection.hear().await {
                    beats.push(request.worker());
                    connection.acknowledge().await;
                }
            }
            tokio::select! {
                status = &mut ended => return (beats, status.unwrap()),
                connection = self.registry.accept() => self.open = Some(connection),
            }
        }
    }
}

fn info(beat: &WorkerHeartbeat) -> &BeatInfo {
    beat.beat.as_ref().unwrap()
}

/// The reason of a goodbye, if the last of these beats is one.
fn goodbye(beats: &[WorkerHeartbeat]) -> Option<&str> {
    beats.last()?.beat.as_ref()?.leaving.as_deref()
}

#[tokio::test]
async fn the_goodbye_of_a_command_that_ends_at_once_waits_for_the_answer_to_the_first_beat() {
    let mut told = Told::start(&[], "").await;
    let mut first = told.registry.accept().await;
    assert_eq!(info(&first.hear().await.unwrap().worker()).leaving, None);
    tokio::select! {
        biased;
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
        _ = told.registry.accept() => panic!("the first beat was cut off"),
    }
    first.acknowledge().await;
    told.open = Some(first);
    let (beats, status) = told.until_the_end().await;
    assert_eq!((status.code(), goodbye(&beats)), (Some(0), Some("exit 0")), "{beats:?}");
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
async fn a_signal_to_the_whole_group_is_a_request_also_where_the_command_answers_it_with_a_code_of_its_own() {
    for round in 0..20 {
        let mut told = Told::start(&[], "trap 'exit 1' TERM; echo up; while :; do sleep 0.01; done").await;
        assert_eq!(told.line().await, "up");
        kill_process_group(told.pid(), Signal::TERM).unwrap();
        let (beats, status) = told.until_the_end().await;
        assert_eq!(status.code(), Some(1));
        assert_eq!(goodbye(&beats), Some("exit 1"), "round {round}: {:?}", beats.last());
    }
}

#[tokio::test]
async fn an_end_that_is_asked_for_between_two_runs_is_a_goodbye_after_the_death() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1h"];
    let mut told = Told::start(&restart, "exit 3").await;
    let mut beats = told.until_a_death().await;
    let death = info(beats.last().unwrap()).clone();
    kill_process(told.pid(), Signal::TERM).unwrap();
    let (rest, status) = told.until_the_end().await;
    beats.extend(rest);
    assert_eq!(status.code(), Some(143));
    assert_eq!(goodbye(&beats), Some("SIGTERM"), "{:?}", beats.last());
    let last = info(beats.last().unwrap());
    assert_eq!((last.incarnation, last.seq), (death.incarnation, death.seq.map(|seq| seq + 1)), "no run of its own");
    let last = beats.last().unwrap();
    assert_eq!((last.health_status, last.last_error.as_deref()), (None, Some("exit 3")), "gone, and why it died");
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_told_right_before_the_end_is_in_the_last_beat() {
    // The wrapper looks again only once the command is dead.
    let script = format!(
        "kill -STOP $PPID
        {BINARY} notify X_HEARTBEAT_QUEUE_DEPTH=7
        (until grep -q '^State:.Z' /proc/$$/status; do sleep 0.01; done; kill -CONT $PPID) > /dev/null 2>&1 &"
    );
    let (beats, status) = Told::start(&[], &script).await.until_the_end().await;
    assert_eq!((status.code(), goodbye(&beats)), (Some(0), Some("exit 0")), "{beats:?}");
    assert_eq!(beats.last().unwrap().queue_depth, Some(7));
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

#[tokio::test]
async fn tolerated_failures_are_not_told_and_the_one_after_them_is() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1ms", "--tolerate", "2"];
    let mut told = Told::start(&restart, "trap 'exit 3' USR1; echo up; while :; do sleep 0.01; done").await;
    let mut beats: Vec<WorkerHeartbeat> = Vec::new();
    let mut runs = 0;
    loop {
        let beat = told.beat().await;
        if beats.last().is_none_or(|last| info(last).incarnation < info(&beat).incarnation) {
            runs += 1;
            assert_eq!(told.line().await, "up");
            kill_process(told.pid(), Signal::USR1).unwrap();
        }
        let is_death = info(&beat).exit.is_some();
        beats.push(beat);
        if is_death {
            break;
        }
    }
    assert_eq!(runs, 3);
    let died = info(beats.last().unwrap()).incarnation;
    let passed_over: Vec<_> = beats.iter().filter(|beat| info(beat).incarnation < died).collect();
    let says_nothing = |beat: &WorkerHeartbeat| beat.last_error.is_none() && beat.health_status.is_none();
    assert!(passed_over.iter().all(|beat| says_nothing(beat) && info(beat).leaving.is_none()), "{passed_over:?}");
    kill_process(told.pid(), Signal::TERM).unwrap();
    told.until_the_end().await;
}

#[tokio::test]
async fn a_tolerated_failure_that_no_run_follows_ends_with_a_goodbye_or_is_told() {
    let restart = ["--restart", "on-failure", "--restart-delay", "1h", "--tolerate", "9"];
    let mut told = Told::start(&restart, "trap 'echo down; exit 3' USR1; echo up; while :; do sleep 0.01; done").await;
    assert_eq!(told.line().await, "up");
    let first = told.beat().await;
    kill_process(told.pid(), Signal::USR1).unwrap();
    assert_eq!(told.line().await, "down");
    kill_process(told.pid(), Signal::TERM).unwrap();
    let (beats, _) = told.until_the_end().await;
    assert!(goodbye(&beats).is_some(), "{beats:?}");
    assert_eq!(info(beats.last().unwrap()).incarnation, info(&first).incarnation);

    let limit = ["--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "1", "--tolerate", "9"];
    let (beats, status) = Told::start(&limit, "exit 3").await.until_the_end().await;
    assert_eq!(status.code(), Some(3));
    let deaths: Vec<_> = beats.iter().filter(|beat| info(beat).exit.is_some()).collect();
    assert_eq!(deaths.len(), 1, "{beats:?}");
}
