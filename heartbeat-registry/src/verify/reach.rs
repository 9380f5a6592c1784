use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::network::Network;
use crate::core::Origin;

/// Where the endpoint of one member may be: at the address that its beats come from, or in one of the networks allowed.
/// Whoever beats tells the endpoint, so that anything wider would let them send this process where they cannot go
/// themselves.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    pub(super) from: Origin,
    /// Whether where its beats come from is one of the places.
    pub(super) own_address: bool,
    pub(super) networks: Arc<[Network]>,
}

impl Reach {
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.is_home(address) || self.networks.iter().any(|network| network.admits(address))
    }

    /// All loopback addresses are the same machine. Nobody's home is where nobody knows.
    fn is_home(&self, address: IpAddr) -> bool {
        match self.from {
            _ if !self.own_address => false,
            Origin::Peer(from) if !from.is_loopback() => address == from,
            Origin::Peer(_) | Origin::Process => address.is_loopback(),
            Origin::Unknown => false,
        }
    }

    fn home(&self) -> Option<String> {
        match self.from {
            _ if !self.own_address => None,
            Origin::Peer(from) if !from.is_loopback() => Some(format!("at {from}, where the beats come from")),
            Origin::Peer(_) | Origin::Process => Some("on this machine, where the beats come from".to_owned()),
            Origin::Unknown => None,
        }
    }
}

/// The rule, in words.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.networks.iter().map(Network::to_string).collect::<Vec<_>>().join(", ");
        match (self.home(), networks.is_empty()) {
            (Some(home), true) => write!(f, "may only be {home}"),
            (Some(home), false) => write!(f, "may only be {home}, or in {networks}"),
            (None, true) => f.write_str("may only be in a network that is allowed, of which there is none"),
            (None, false) => write!(f, "may only be in {networks}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(from: Origin, networks: &[&str]) -> Reach {
        Reach { from, own_address: true, networks: networks.iter().map(|network| network.parse().unwrap()).collect() }
    }

    fn peer(address: &str) -> Origin {
        Origin::Peer(address.parse().unwrap())
    }

    #[track_caller]
    fn only(reach: &Reach, admitted: &[&str]) {
        let all =
            ["10.0.0.5", "10.0.0.6", "192.168.0.1", "127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "0.0.0.0"];
        let found: Vec<&str> = all.into_iter().filter(|address| reach.admits(address.parse().unwrap())).collect();
        assert_eq!(found, admitted, "{reach}");
    }

    #[test]
    fn an_endpoint_is_where_the_beats_come_from_or_in_a_network_that_is_allowed() {
        only(&reach(peer("10.0.0.5"), &[]), &["10.0.0.5"]);
        only(&reach(peer("10.0.0.5"), &["10.0.0.0/24"]), &["10.0.0.5", "10.0.0.6"]);
        only(&reach(peer("10.0.0.5"), &["0.0.0.0/0"]), &["10.0.0.5", "10.0.0.6", "192.168.0.1"]);
        only(&reach(peer("10.0.0.5"), &["127.0.0.1"]), &["10.0.0.5", "127.0.0.1"]);
        let here = ["127.0.0.1", "127.9.9.9", "::1"];
        only(&reach(peer("127.0.0.1"), &[]), &here);
        only(&reach(peer("::1"), &[]), &here);
        only(&reach(Origin::Process, &[]), &here);
        only(&reach(Origin::Unknown, &[]), &[]);
        only(&reach(Origin::Unknown, &["10.0.0.6"]), &["10.0.0.6"]);
    }

    #[test]
    fn where_the_beats_come_from_counts_only_if_it_is_allowed_to() {
        for from in [peer("127.0.0.1"), peer("10.0.0.5"), Origin::Process] {
            let strict = |networks| Reach { own_address: false, ..reach(from, networks) };
            only(&strict(&[]), &[]);
            only(&strict(&["10.0.0.0/24"]), &["10.0.0.5", "10.0.0.6"]);
            assert_eq!(strict(&["10.0.0.0/24"]).to_string(), "may only be in 10.0.0.0/24");
        }
    }

    #[test]
    fn the_rule_names_the_address_and_the_networks() {
        let rule = reach(peer("10.0.0.5"), &["10.1.0.0/16", "fd00::/8"]).to_string();
        assert_eq!(rule, "may only be at 10.0.0.5, where the beats come from, or in 10.1.0.0/16, fd00::/8");
        let here = reach(Origin::Process, &[]).to_string();
        assert_eq!(here, "may only be on this machine, where the beats come from");
        let nowhere = reach(Origin::Unknown, &[]).to_string();
        assert_eq!(nowhere, "may only be in a network that is allowed, of which there is none");
        assert_eq!(reach(Origin::Unknown, &["10.1.0.0/16"]).to_string(), "may only be in 10.1.0.0/16");
    }
}
