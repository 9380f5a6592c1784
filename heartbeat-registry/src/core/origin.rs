//! Where beats come from.

use std::net::IpAddr;

/// Where a beat comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// This very process.
    Process,
    /// A connection from this address.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP brings beats from elsewhere"))]
    Peer(IpAddr),
    /// Somewhere that nobody told, or it never beat.
    Unknown,
}

impl Origin {
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Peer(address) => Some(address),
            Self::Process | Self::Unknown => None,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process => f.write_str("local"),
            Self::Peer(address) => address.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peer_has_an_address() {
        let peer = IpAddr::from([192, 0, 2, 1]);
        let addresses = [Origin::Peer(peer), Origin::Process, Origin::Unknown].map(Origin::address);
        assert_eq!(addresses, [Some(peer), None, None]);
    }

    #[test]
    fn an_origin_is_no_larger_than_an_address() {
        assert_eq!(size_of::<Origin>(), size_of::<Option<IpAddr>>());
    }
}
