use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use daemon_lifecycle::{
    Daemon, DaemonCommand, EndCause, HealthPoll, HealthPollConfig, Liveness, NotReady, PidFile, Probe, RestartPolicy,
    RunEnd, Signal, StartLimit, SupervisionEnd, Supervisor, SupervisorEvent, SupervisorPhase,
};

use tokio::sync::Notify;

use crate::{
    folder::Folder,
    process::{PATIENCE, bounded, gone, kill, sh, texts, until},
    server::{Server, status},
};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Of a shell, quick to restart it.
pub(crate) fn supervisor(script: &'static str) -> Supervisor {
    Supervisor::new(move || sh(script)).backoff(MS, MS).start_timeout(PATIENCE).stop_grace(PATIENCE)
}

/// Each start appends a character to a file of this folder, so that the script can tell which one it is.
fn counting(folder: &Folder, script: &str) -> impl FnMut() -> DaemonCommand + Send + 'static {
    let script = format!("printf x >> runs; case $(wc -c < runs) in {script} esac");
    let folder: PathBuf = folder.path().to_owned();
    move || sh(&script).current_dir(&folder)
}

/// What happened, as words: `started`, `ready`, `stopping`, `ended`, `restarting`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn hook(&self) -> impl FnMut(&SupervisorEvent) + Send + 'static {
        let log = Self::clone(self);
        move |event| {
            let word = match event {
                SupervisorEvent::Started { run, .. } => format!("{run} started"),
                SupervisorEvent::Ready { run, .. } => format!("{run} ready"),
                SupervisorEvent::Stopping { run, .. } => format!("{run} stopping"),
                SupervisorEvent::Ended(end) => format!("{} ended", end.run),
                SupervisorEvent::Restarting { run, .. } => format!("{run} restarting"),
                _ => panic!("an unknown event: {event}"),
            };
            log.0.lock().expect("not poisoned").push(word);
        }
    }

    pub(crate) fn words(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}

pub(crate) fn last(end: &SupervisionEnd) -> &RunEnd {
    match end {
        SupervisionEnd::Over(end) | SupervisionEnd::Stopped(end) | SupervisionEnd::CrashLoop { last: end, .. } => end,
        _ => panic!("{end}"),
    }
}

#[tokio::test]
async fn a_daemon_that_fails_is_started_again_until_it_ends_well() {
    let folder = Folder::new("supervise-1");
    let log = Log::default();
    let supervision = Supervisor::new(counting(&folder, "1) exit 3;; 2) kill -9 $$;; *) exit 0;;"))
        .backoff(MS, MS)
        .on_event(log.hook())
        .spawn();
    let end = bounded(supervision.over()).await;
    assert!(matches!(*end, SupervisionEnd::Over(_)), "{end}");
    assert_eq!(last(&end).run, 3);
    let expected = [
        "1 started",
        "1 ready",
        "1 ended",
        "2 restarting",
        "2 started",
        "2 ready",
        "2 ended",
        "3 restarting",
        "3 started",
        "3 ready",
        "3 ended",
    ];
    assert_eq!(log.words(), expected);
}

#[tokio::test]
async fn a_crash_loop_is_given_up_with_the_last_lines() {
    let limit = StartLimit { starts: 3, window: Duration::from_secs(3_600) };
    let supervision = supervisor("echo no licence; exit 1").start_limit(limit).spawn();
    let end = bounded(supervision.over()).await;
    let SupervisionEnd::CrashLoop { last, .. } = &*end else { panic!("{end}") };
    assert_eq!((last.run, texts(&last.last_lines)), (3, vec!["no licence"]));
    let message = end.to_string();
    assert!(message.starts_with("given up after 3 starts in 3600 s: run 3: ended (exit status: 1)"), "{message}");
    assert!(message.ends_with("stdout: no licence"), "{message}");
}

#[tokio::test]
async fn restarts_in_a_row_are_given_up_and_a_stable_run_ends_the_row() {
    let hopeless = supervisor("exit 1").start_limit(None).restart_limit(7).spawn();
    let end = bounded(hopeless.over()).await;
    assert!(end.to_string().starts_with("given up after 7 restarts in a row: run 8: ended"), "{end}");

    // Any time of being ready is stable here.
    let stable = supervisor("exit 1").start_limit(None).restart_limit(1).stable_after(Duration::ZERO).spawn();
    until(|| stable.state().run >= 5).await;
    bounded(stable.stop()).await;
}

#[tokio::test]
async fn a_daemon_that_dies_during_start_up_has_never_been_ready() {
    let supervision =
        supervisor("echo no such model >&2; exit 4").restart(RestartPolicy::Never).ready_when_notified().spawn();
    assert!(!bounded(supervision.until_ready()).await);
    let end = bounded(supervision.over()).await;
    let RunEnd { cause: EndCause::NotReady(error), status, last_lines, .. } = last(&end) else { panic!("{end}") };
    assert_eq!(error.exit_status().and_then(|status| status.code()), Some(4));
    assert_eq!((status.and_then(|status| status.code()), texts(last_lines)), (Some(4), vec!["no such model"]));
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_in_time_is_stopped() {
    let supervision = supervisor("exec sleep 600")
        .restart(RestartPolicy::Never)
        .ready_on_line(|_| true)
        .start_timeout(20 * MS)
        .spawn();
    let end = bounded(supervision.over()).await;
    let RunEnd { cause: EndCause::NotReady(NotReady::Line(_)), status: Some(status), .. } = last(&end) else {
        panic!("{end}")
    };
    assert_eq!(status.to_string(), "signal: 15 (SIGTERM)");
}

/// Polling that goes on after success would be seen by the server.
#[tokio::test]
async fn the_poll_for_readiness_ends_on_success_and_each_run_is_polled_anew() {
    let server = Server::answering(status("200 OK", "ok")).await;
    let poll = HealthPollConfig { url: server.url(""), initial_delay_ms: 1, ..HealthPollConfig::default() };
    let supervision = supervisor("exec sleep 600").ready_when_healthy(HealthPoll::from(poll)).spawn();
    assert!(bounded(supervision.until_ready()).await);
    tokio::time::sleep(50 * MS).await;
    bounded(supervision.restart(1, "for the test")).await;
    until(|| supervision.state().run >= 2).await;
    assert!(bounded(supervision.until_ready()).await);
    assert_eq!(server.requests().len(), 2, "one for each run");
    bounded(supervision.stop()).await;
}

#[tokio::test]
async fn a_daemon_that_fails_its_liveness_probe_is_started_again() {
    // Healthy at first, lost from the third question to the fifth, healthy again as another run.
    let server = Server::by_turns(|turn| match turn {
        1 | 2 | 4 | 8.. => status("200 OK", "ok"),
        _ => status("503 Service Unavailable", "deadlock"),
    })
    .await;
    let log = Log::default();
    let probe = Probe::new(&server.url("/livez")).expect("a URL");
    let supervision = supervisor("exec sleep 600")
        .liveness(Liveness { pause: MS, failures: 3, ..Liveness::new(probe) })
        .on_event(log.hook())
        .spawn();
    until(|| server.requests().len() >= 12).await;
    assert_eq!(supervision.state().run, 2);
    bounded(supervision.stop()).await;
    let words = log.words();
    assert_eq!(words[2..6], ["1 stopping", "1 ended", "2 restarting", "2 started"], "{words:?}");
}

#[tokio::test]
async fn an_order_about_an_earlier_run_does_not_end_the_present_one() {
    let log = Log::default();
    let supervision = supervisor("exec sleep 600").on_event(log.hook()).spawn();
    assert!(bounded(supervision.until_ready()).await);
    for _ in 0..3 {
        bounded(supervision.restart(1, "the registry has not heard of it")).await;
    }
    until(|| supervision.state().run >= 2).await;
    bounded(supervision.stop()).await;
    assert!(!log.words().iter().any(|word| word.starts_with('3')), "{:?}", log.words());
}

#[tokio::test]
async fn stop_ends_a_pause_and_a_start() {
    let waiting = supervisor("exit 1").backoff(PATIENCE, PATIENCE).spawn();
    until(|| waiting.state().run == 1 && matches!(waiting.state().phase, SupervisorPhase::Waiting)).await;
    let end = bounded(waiting.stop()).await;
    assert!(matches!(*end, SupervisionEnd::Stopped(_)), "{end}");

    let starting = supervisor("exec sleep 600").ready_on_line(|_| true).spawn();
    let end = bounded(starting.stop()).await;
    assert!(matches!(last(&end).cause, EndCause::Stopped), "{end}");
}

#[tokio::test]
async fn a_signal_reaches_the_daemon_while_it_starts_and_starts_it_no_later() {
    // Not HUP, which a shell cannot trap where it is ignored from the start, as under nohup.
    let script = "trap 'echo heard; exec sleep 600' USR1; echo up; while :; do sleep 0.02; done";
    let up = Arc::new(Notify::new());
    let command = {
        let up = Arc::clone(&up);
        move || {
            let up = Arc::clone(&up);
            sh(script).on_line(move |line| {
                if line.text == "up" {
                    up.notify_one();
                }
            })
        }
    };
    let supervision = Supervisor::new(command).ready_on_line(|line| line.text == "heard").spawn();
    // A shell that has not set its trap yet would die.
    bounded(up.notified()).await;
    bounded(supervision.signal(Signal::User1)).await;
    assert!(bounded(supervision.until_ready()).await);
    bounded(supervision.stop()).await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_not_tried_again() {
    let supervision = Supervisor::new(|| Daemon::command("/no/such/program")).restart(RestartPolicy::Always).spawn();
    let end = bounded(supervision.over()).await;
    assert!(matches!(*end, SupervisionEnd::Failed(_)), "{end}");
    assert!(end.to_string().starts_with("cannot start `/no/such/program`: No such file"), "{end}");
}

#[tokio::test]
async fn a_dropped_supervision_leaves_nothing_behind() {
    let supervision = supervisor("exec sleep 600").spawn();
    assert!(bounded(supervision.until_ready()).await);
    let pid = supervision.state().pid.expect("it runs").to_string();
    drop(supervision);
    gone(&pid).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_run_is_recorded_in_the_pid_file() {
    let folder = Folder::new("supervise-2");
    let path = folder.path().join("pid");
    let claim = PidFile::claim(&path).expect("nobody is there");
    let supervision = supervisor("exec sleep 600").pid_file(claim).spawn();
    for run in 1..=2 {
        bounded(async {
            while supervision.state().run < run || !supervision.until_ready().await {
                tokio::time::sleep(MS).await;
            }
        })
        .await;
        let pid = supervision.state().pid.expect("it runs");
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains(&format!("daemon {pid} {pid} ")), "{text}");
        kill(&pid.to_string());
        gone(&pid.to_string()).await;
    }
    bounded(supervision.stop()).await;
    assert!(!path.exists(), "it is claimed no longer");
}
