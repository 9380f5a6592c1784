//! From addresses to a connection.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{
    classify::by_io,
    error::{AddressFailure, ProbeError},
    failure::ProbeFailure,
    target::Target,
};
use crate::clock::TimeLimit;

/// Tries every address until one takes the connection. Those left share what is left of the time, so that the last is
/// tried even if the first is a black hole.
pub(super) async fn tcp(target: &Target, addresses: &[SocketAddr], limit: TimeLimit) -> Result<TcpStream, ProbeError> {
    let mut failures = Vec::new();
    for (tried, &address) in addresses.iter().enumerate() {
        let untried = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = limit.left() / untried;
        let (kind, error) = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => (by_io(&error), Some(error)),
            Err(_) => (ProbeFailure::ConnectTimeout, None),
        };
        failures.push(AddressFailure { address, kind, error });
    }
    Err(ProbeError::new(target, most_telling(&failures)).with_addresses(failures))
}

#[cfg(unix)]
pub(super) async fn socket(
    target: &Target,
    path: &std::path::Path,
    limit: TimeLimit,
) -> Result<tokio::net::UnixStream, ProbeError> {
    match limit.bound(tokio::net::UnixStream::connect(path)).await {
        Some(Ok(stream)) => Ok(stream),
        // That much is said when the queue of the socket is full.
        Some(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
            Err(ProbeError::new(target, ProbeFailure::ConnectTimeout).with_source(error))
        }
        Some(Err(error)) => Err(ProbeError::new(target, by_io(&error)).with_source(error)),
        None => Err(ProbeError::new(target, ProbeFailure::ConnectTimeout)),
    }
}

/// A host that refuses is there, which says more than silence; and an address family that leads nowhere says least.
fn most_telling(failures: &[AddressFailure]) -> ProbeFailure {
    let kinds = || failures.iter().map(|failure| failure.kind);
    let telling = [ProbeFailure::Refused, ProbeFailure::ConnectTimeout, ProbeFailure::Reset, ProbeFailure::Unreachable];
    let known = telling.into_iter().find(|telling| kinds().any(|kind| kind == *telling));
    known.or_else(|| kinds().next()).unwrap_or(ProbeFailure::Dns)
}
