//! From a host to the addresses that a probe may connect to.

use std::net::{IpAddr, SocketAddr};

use super::{error::ProbeError, failure::ProbeFailure, target::Target};
use crate::clock::TimeLimit;

/// Whether an address may be connected to.
pub(super) type Admits = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Resolves a host once and keeps the addresses that are admitted: never none.
pub(super) async fn resolve(
    target: &Target,
    host: &str,
    port: u16,
    admits: Option<&Admits>,
    limit: TimeLimit,
) -> Result<Vec<SocketAddr>, ProbeError> {
    let found = addresses(target, host, port, limit).await?;
    let Some(admits) = admits else {
        return Ok(found);
    };
    let (admitted, refused): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| admits(address.ip().to_canonical()));
    if admitted.is_empty() {
        let refused: Vec<String> = refused.iter().map(|address| address.ip().to_canonical().to_string()).collect();
        return Err(ProbeError::new(target, ProbeFailure::NotAdmitted).with_detail(refused.join(", ")));
    }
    Ok(admitted)
}

async fn addresses(target: &Target, host: &str, port: u16, limit: TimeLimit) -> Result<Vec<SocketAddr>, ProbeError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = || ProbeError::new(target, ProbeFailure::Dns);
    let found = match limit.bound(tokio::net::lookup_host((host, port))).await {
        Some(found) => found.map_err(|error| unresolved().with_source(error))?,
        None => return Err(unresolved().with_detail("no answer from the resolver in time".to_owned())),
    };
    let mut addresses: Vec<SocketAddr> = found.collect();
    addresses.dedup();
    if addresses.is_empty() { Err(unresolved()) } else { Ok(addresses) }
}
