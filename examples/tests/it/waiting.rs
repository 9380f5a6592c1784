//! Waits that end with what they wait for, or say what that was.

use std::time::Duration;

use heartbeat_contract::Payload;
use heartbeat_sender::{HeartbeatHandle, Outcome};

/// Far longer than anything here takes on a machine with other things to do.
const BOUND: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    tokio::time::timeout(BOUND, looking).await.unwrap_or_else(|_| panic!("not within {BOUND:?}: {what}"))
}

/// Waits for something that must happen.
pub(crate) async fn soon<F: Future>(what: &str, happening: F) -> F::Output {
    tokio::time::timeout(BOUND, happening).await.unwrap_or_else(|_| panic!("not within {BOUND:?}: {what}"))
}

/// Waits for an outcome of a sender.
pub(crate) async fn outcome<P: Payload, T>(
    what: &str,
    heartbeat: &HeartbeatHandle<P>,
    accept: impl Fn(&Outcome) -> Option<T>,
) -> T {
    until(what, async || accept(&heartbeat.outcomes().latest())).await
}
