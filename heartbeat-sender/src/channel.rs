//! Beats to a consumer in the same process.

use heartbeat_contract::{Ack, Payload, Problem};
use tokio::sync::{mpsc, oneshot};

use crate::{SendError, Transport};

const PLACE: &str = "the consumer of the channel";

/// Brings beats to a consumer in the same process, without JSON or sockets; cheap to clone, for several members.
///
/// ```
/// use heartbeat_contract::{Ack, WorkerHeartbeat};
/// use heartbeat_sender::{ChannelTransport, WorkerHeartbeatConfig, spawn_on, system_clock};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (transport, mut deliveries) = ChannelTransport::<WorkerHeartbeat>::new(16);
/// let config = WorkerHeartbeatConfig::in_process("worker-123");
/// let handle = spawn_on(&tokio::runtime::Handle::current(), config, transport)?;
///
/// let delivery = deliveries.recv().await.expect("the loop runs");
/// assert_eq!(delivery.beat.worker_id.as_str(), "worker-123");
/// delivery.answer.send(Ok(Ack {
///     acknowledged: true,
///     server_time: system_clock(),
///     next_in_ms: 30_000,
///     directives: vec![],
/// }));
/// # drop(handle);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChannelTransport<P> {
    deliveries: mpsc::Sender<Delivery<P>>,
}

/// A beat that waits for its answer.
#[derive(Debug)]
pub struct Delivery<P> {
    /// The beat, stamped.
    pub beat: P,
    /// Takes the answer to it.
    pub answer: Answer,
}

/// Takes the answer to one beat; dropped without one, the beat has failed.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Result<Ack, Problem>>);

impl Answer {
    /// Answers. Without effect if the sender no longer waits.
    pub fn send(self, answer: Result<Ack, Problem>) {
        // An answer too late for its sender is what a registry's answer to a closed connection is: nobody's.
        drop(self.0.send(answer));
    }
}

impl<P: Payload> ChannelTransport<P> {
    /// A transport and the end where its beats arrive, of which `capacity` may wait at a time; further ones wait in their
    /// senders, until their timeout.
    ///
    /// # Panics
    /// If the capacity is zero.
    #[must_use]
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<Delivery<P>>) {
        let (deliveries, arriving) = mpsc::channel(capacity);
        (Self { deliveries }, arriving)
    }
}

impl<P> Clone for ChannelTransport<P> {
    fn clone(&self) -> Self {
        Self { deliveries: self.deliveries.clone() }
    }
}

impl<P: Payload> Transport<P> for ChannelTransport<P> {
    async fn send(&self, beat: P) -> Result<Ack, SendError> {
        let (answer, answered) = oneshot::channel();
        let delivery = Delivery { beat, answer: Answer(answer) };
        self.deliveries.send(delivery).await.map_err(|_| SendError::connect(PLACE, "it has gone"))?;
        let answer = answered.await.map_err(|_| SendError::lost("the beat was dropped unanswered"))?;
        answer.map_err(SendError::refused)
    }
}
