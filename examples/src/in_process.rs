//! A registry for senders of the same process.

use heartbeat_contract::{Ack, Payload, Problem};
use heartbeat_registry::Registry;
use heartbeat_sender::{ChannelTransport, Delivery, system_clock};
use tokio::sync::mpsc::Receiver;

/// How many beats may wait to be recorded. Recording takes microseconds.
const WAITING: usize = 64;

/// A transport to a registry of this process, and the future that records and answers what is sent over it. That one ends
/// once every clone of the transport has gone.
pub fn transport_to<P: Payload>(registry: Registry<P>) -> (ChannelTransport<P>, impl Future<Output = ()> + Send) {
    let (transport, deliveries) = ChannelTransport::new(WAITING);
    (transport, record_all(registry, deliveries))
}

/// Records what arrives, and answers as the HTTP route does.
async fn record_all<P: Payload>(registry: Registry<P>, mut deliveries: Receiver<Delivery<P>>) {
    while let Some(Delivery { beat, answer }) = deliveries.recv().await {
        let recorded = registry.record(beat).map_err(Problem::from);
        answer.send(recorded.map(|recorded| Ack {
            acknowledged: true,
            server_time: system_clock(),
            next_in_ms: u64::try_from(recorded.next_in.as_millis()).unwrap_or(u64::MAX),
            directives: recorded.directives,
        }));
    }
}
