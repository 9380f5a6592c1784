//! The program that starts a dead worker again, as it is.

use std::time::Duration;

use tokio::process::Command;

#[tokio::test]
async fn a_worker_that_is_killed_is_started_again_and_says_goodbye_in_the_end() {
    let program = Command::new(env!("CARGO_BIN_EXE_recover")).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), program).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let end = "worker-1 is started again\nworker-1 is healthy again, as another run\nworker-1 has left\n";
    assert!(told.ends_with(end), "{told}");
}
