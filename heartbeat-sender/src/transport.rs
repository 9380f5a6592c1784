//! How a beat travels.

use heartbeat_contract::{Ack, Payload};

use crate::SendError;

/// A way to bring a beat to a registry and its answer back.
///
/// The loop sends one beat at a time and waits no longer than the request timeout, so an implementation needs no timeout
/// of its own. It may send a beat twice where the first try cannot have been answered: beats are numbered.
pub trait Transport<P: Payload>: Send + Sync + 'static {
    /// Sends a stamped beat.
    ///
    /// # Errors
    /// Why there is no ack.
    ///
    /// # Cancel safety
    /// The future is dropped when the timeout runs out or the loop says goodbye; the beat may or may not have arrived.
    fn send(&self, beat: P) -> impl Future<Output = Result<Ack, SendError>> + Send;

    /// The ways to further registries, the preferred ones first: none, unless an implementation says otherwise. A beat that
    /// does not get through here goes there at once, and so do those that follow; after about a minute the loop tries
    /// whether it can return. Always the same ones; theirs are not asked for.
    fn fallbacks(&self) -> &[Self]
    where
        Self: Sized,
    {
        &[]
    }

    /// What logs and spans call the registry; without credentials.
    fn place(&self) -> &str {
        "the registry"
    }
}
