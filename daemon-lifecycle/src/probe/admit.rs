//! Which addresses a probe may connect to.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Name, Resolve, Resolving};

use super::{
    error::{ProbeError, ProbeFailure},
    target::Target,
};

/// Whether an address may be connected to.
pub(super) type Admits = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Leads every name to the same addresses.
pub(super) struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async { Ok(Box::new(addresses.into_iter()) as _) })
    }
}

/// Resolves the target's host once and keeps the addresses that are admitted. A host that is an address itself is not
/// asked for by the client, so it has to be checked here.
pub(super) async fn resolve(target: &Target, admits: &Admits) -> Result<Pinned, ProbeError> {
    let (admitted, refused): (Vec<_>, Vec<_>) =
        addresses(target).await?.into_iter().partition(|address| admits(address.ip().to_canonical()));
    if admitted.is_empty() {
        let refused: Vec<String> = refused.iter().map(|address| address.ip().to_canonical().to_string()).collect();
        return Err(ProbeError::new(target, ProbeFailure::NotAdmitted).with_detail(refused.join(", ")));
    }
    Ok(Pinned(admitted))
}

async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, ProbeError> {
    let (host, port) = target.host_and_port();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = || ProbeError::new(target, ProbeFailure::Dns);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| unresolved().with_source(error))?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    addresses.dedup();
    if addresses.is_empty() { Err(unresolved()) } else { Ok(addresses) }
}
