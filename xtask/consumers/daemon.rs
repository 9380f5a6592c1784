//! Starts a program, hears what it says, and stops all of it.

use std::error::Error;
use std::time::Duration;

use daemon_lifecycle::{Daemon, HealthPoll, PollError};

const BOUND: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut daemon = Daemon::command("sh").args(["-c", "echo up; exec sleep 600"]).spawn()?;
    daemon.wait_for_line(|line| (line.text == "up").then_some(()), BOUND).await?;
    daemon.stop(BOUND).await?;

    let mut hopeless = Daemon::command("sh").args(["-c", "exit 3"]).spawn()?;
    let poll = HealthPoll::new("http://127.0.0.1:9").deadline(BOUND);
    let error = hopeless.wait_until_healthy(poll).await.expect_err("it is dead");
    assert!(matches!(error, PollError::ChildExited { .. }), "{error}");
    Ok(())
}
