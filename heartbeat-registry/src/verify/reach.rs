use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::network::Network;

/// Where the endpoint of one member may be: at the address that its beats come from, or in one of the networks allowed.
/// Whoever beats tells the endpoint, so that anything wider would let them send this process where they cannot go
/// themselves.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// `None` in process.
    pub(super) from: Option<IpAddr>,
    pub(super) networks: Arc<[Network]>,
}

impl Reach {
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.is_home(address) || self.networks.iter().any(|network| network.admits(address))
    }

    /// All loopback addresses are the same machine.
    fn is_home(&self, address: IpAddr) -> bool {
        match self.from {
            Some(from) if !from.is_loopback() => address == from,
            Some(_) | None => address.is_loopback(),
        }
    }
}

/// The rule, in words.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) if !from.is_loopback() => write!(f, "may only be at {from}, where the beats come from")?,
            Some(_) | None => f.write_str("may only be on this machine, where the beats come from")?,
        }
        for (i, network) in self.networks.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { ", or in " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(from: Option<&str>, networks: &[&str]) -> Reach {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        Reach { from: from.map(|from| from.parse().unwrap()), networks }
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
        only(&reach(Some("10.0.0.5"), &[]), &["10.0.0.5"]);
        only(&reach(Some("10.0.0.5"), &["10.0.0.0/24"]), &["10.0.0.5", "10.0.0.6"]);
        only(&reach(Some("10.0.0.5"), &["0.0.0.0/0"]), &["10.0.0.5", "10.0.0.6", "192.168.0.1"]);
        only(&reach(Some("10.0.0.5"), &["127.0.0.1"]), &["10.0.0.5", "127.0.0.1"]);
        let here = ["127.0.0.1", "127.9.9.9", "::1"];
        only(&reach(Some("127.0.0.1"), &[]), &here);
        only(&reach(Some("::1"), &[]), &here);
        only(&reach(None, &[]), &here);
    }

    #[test]
    fn the_rule_names_the_address_and_the_networks() {
        let rule = reach(Some("10.0.0.5"), &["10.1.0.0/16", "fd00::/8"]).to_string();
        assert_eq!(rule, "may only be at 10.0.0.5, where the beats come from, or in 10.1.0.0/16, fd00::/8");
        let here = reach(None, &[]).to_string();
        assert_eq!(here, "may only be on this machine, where the beats come from");
    }
}
