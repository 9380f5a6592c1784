//! Whether the answer came from the child that is waited for.

use std::{process::id, time::Duration};

use daemon_lifecycle::{Daemon, HealthPoll, OutputLine, PollError, ProbeFailure};

use crate::server::{Server, health_json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A child that has a child of its own, and that one's pid.
async fn parent() -> (Daemon, u32) {
    let mut daemon = Daemon::command("sh").args(["-c", "sleep 600 & echo pid $!; wait"]).spawn().expect("sh starts");
    let find = |line: &OutputLine| line.text.strip_prefix("pid ")?.parse().ok();
    let pid = daemon.wait_for_line(find, PATIENCE).await.expect("the line");
    (daemon, pid)
}

/// Answers the n-th request in the name of the n-th process, and those beyond in the name of the last.
async fn answered_by(pids: Vec<u32>) -> Server {
    Server::by_turns(move |turn| {
        let pid = pids[turn.min(pids.len()) - 1];
        health_json("200 OK", "", &format!(r#"{{"status":"pass","pid":{pid}}}"#))
    })
    .await
}

fn poll(server: &Server) -> HealthPoll {
    let poll = HealthPoll::new(server.url("/")).backoff(Duration::from_millis(1), 1.0);
    poll.max_attempts(3).deadline(PATIENCE).expect_child()
}

#[tokio::test]
async fn a_stale_daemon_on_the_port_is_not_taken_for_the_child() {
    let (mut daemon, _) = parent().await;
    // This very process is the stale daemon.
    let server = answered_by(vec![id(), daemon.pid()]).await;
    let healthy = daemon.wait_until_healthy(poll(&server)).await.expect("the child answers at last");
    assert_eq!((healthy.attempts, healthy.answer.pid), (2, Some(daemon.pid())));

    let server = answered_by(vec![id()]).await;
    let error = daemon.wait_until_healthy(poll(&server)).await.expect_err("it never is the child");
    let PollError::AttemptsExhausted(report) = &error else { panic!("{error}") };
    assert_eq!(report.outcomes(), [(ProbeFailure::WrongIdentity, 3)]);
    let expected = format!("process {}, expected {} or one of its group", id(), daemon.pid());
    assert!(error.to_string().contains(&expected), "{error}");
    daemon.stop(PATIENCE).await.expect("a child to stop");
}

#[tokio::test]
async fn a_child_may_leave_the_answer_to_one_of_its_own() {
    let (mut daemon, grandchild) = parent().await;
    let server = answered_by(vec![grandchild]).await;
    let healthy = daemon.wait_until_healthy(poll(&server)).await.expect("one of the group");
    assert_eq!(healthy.attempts, 1);
    daemon.stop(PATIENCE).await.expect("a child to stop");
}
