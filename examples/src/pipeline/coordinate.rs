//! The loop that brings results, errors and cancellation together.

use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::{Fault, WorkResult};

/// Tells each result until all is cancelled. The first fault cancels all.
///
/// # Errors
/// What the monitor noticed.
pub async fn coordinate(
    cancel: &CancellationToken,
    mut results: Receiver<WorkResult>,
    mut errors: Receiver<Fault>,
    mut tell: impl FnMut(WorkResult),
) -> Result<(), Fault> {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            Some(result) = results.recv() => tell(result),
            Some(fault) = errors.recv() => {
                cancel.cancel();
                return Err(fault);
            }
        }
    }
}
