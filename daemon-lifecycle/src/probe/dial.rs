//! From addresses to a connection.

#[cfg(unix)]
use std::io::ErrorKind;
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
        Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
            Err(ProbeError::new(target, ProbeFailure::ConnectTimeout).with_source(error))
        }
        Some(Err(error)) => {
            let why = about_socket(error.kind()).to_owned();
            Err(ProbeError::new(target, by_io(&error)).with_detail(why).with_source(error))
        }
        None => Err(ProbeError::new(target, ProbeFailure::ConnectTimeout)),
    }
}

/// What the kind of the failure, which speaks of hosts, leaves open.
#[cfg(unix)]
fn about_socket(error: ErrorKind) -> &'static str {
    match error {
        ErrorKind::NotFound => "there is no socket at this path",
        ErrorKind::PermissionDenied => "no permission to connect to the socket",
        _ => "",
    }
}

/// A host that refuses is there, which says more than silence; and an address family that leads nowhere says least.
fn most_telling(failures: &[AddressFailure]) -> ProbeFailure {
    let kinds = || failures.iter().map(|failure| failure.kind);
    let telling = [ProbeFailure::Refused, ProbeFailure::ConnectTimeout, ProbeFailure::Reset, ProbeFailure::Unreachable];
    let known = telling.into_iter().find(|telling| kinds().any(|kind| kind == *telling));
    known.or_else(|| kinds().next()).unwrap_or(ProbeFailure::Dns)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
        time::Duration,
    };

    use super::{AddressFailure, ProbeError, ProbeFailure, Target, TimeLimit, most_telling, tcp};

    async fn dial(addresses: &[SocketAddr], limit: Duration) -> Result<SocketAddr, ProbeError> {
        let target = Target::parse("http://both.test", None).expect("a URL");
        let stream = tcp(&target, addresses, TimeLimit::of(limit)).await?;
        Ok(stream.peer_addr().expect("a peer"))
    }

    #[tokio::test]
    async fn localhost_resolving_to_v6_first_works_against_v4_only() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let first = (Ipv6Addr::LOCALHOST, address.port()).into();
        let connected = dial(&[first, address], Duration::from_secs(20)).await;
        assert_eq!(connected.expect("the v4 address answers"), address);
    }

    #[tokio::test]
    async fn every_address_is_tried_and_the_error_of_each_is_kept() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let addresses = [(Ipv4Addr::LOCALHOST, port).into(), ([127, 0, 0, 2], port).into()];
        let error = dial(&addresses, Duration::from_secs(20)).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ProbeFailure::Refused);
        let tried: Vec<SocketAddr> = error.addresses().iter().map(|failure| failure.address).collect();
        assert_eq!(tried, addresses);
        assert!(error.addresses().iter().all(|failure| failure.kind == ProbeFailure::Refused), "{error:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_last_address_is_tried_even_if_the_first_is_a_black_hole() {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        // With its queue full, the kernel drops whatever else wants in.
        let hole = socket.listen(0).expect("a listener").into_std().expect("a listener");
        let hole_address = hole.local_addr().expect("an address");
        let connect = |_| std::net::TcpStream::connect_timeout(&hole_address, Duration::from_millis(200));
        let _queued: Vec<_> = (0..8).map(connect).collect();

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let connected = dial(&[hole_address, address], Duration::from_secs(4)).await;
        assert_eq!(connected.expect("half of the time is left for it"), address);
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_that_keeps_us_out_says_so() {
        use std::io::{Error, ErrorKind};
        let denied = Error::from_raw_os_error(13);
        assert_eq!(super::about_socket(denied.kind()), "no permission to connect to the socket");
        assert_eq!(super::about_socket(ErrorKind::ConnectionRefused), "");
    }

    #[test]
    fn a_host_that_refuses_says_more_than_one_that_cannot_be_reached() {
        use ProbeFailure::{ConnectTimeout, Refused, Unreachable};
        for (kinds, telling) in [
            (&[Unreachable, Refused][..], Refused),
            (&[Unreachable, ConnectTimeout], ConnectTimeout),
            (&[ConnectTimeout, Refused], Refused),
            (&[Unreachable], Unreachable),
        ] {
            let address = (Ipv4Addr::LOCALHOST, 1).into();
            let failures: Vec<AddressFailure> =
                kinds.iter().map(|&kind| AddressFailure { address, kind, error: None }).collect();
            assert_eq!(most_telling(&failures), telling, "{kinds:?}");
        }
    }
}
