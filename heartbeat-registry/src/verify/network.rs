use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike, as in `10.0.0.0/8` or `fd00::/8`; one address alone is a network, too.
///
/// ```
/// use heartbeat_registry::verify::Network;
///
/// let racks: Network = "10.1.0.0/16".parse()?;
/// assert!(racks.contains("10.1.2.3".parse()?));
/// assert_eq!(
///     "10.1.2.3/16".parse::<Network>().unwrap_err().to_string(),
///     "10.1.2.3/16 is no network: it has bits beyond its prefix, as 10.1.0.0/16 has not"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// A text that names no [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is no network: {why}")]
pub struct InvalidNetwork {
    text: String,
    why: String,
}

impl Network {
    /// Whether an address is one of its own. IPv4 in an IPv6 wrapping is unwrapped.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && begin(address, self.prefix) == self.first
    }

    /// Whether it holds an address and was meant to: a network is never meant to hold the loopback or link-local
    /// addresses of the machine that looks at it, unless it holds nothing else.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.contains(address)
            && Scope::of(address)
                .is_none_or(|scope| [self.first, self.last()].iter().all(|&end| Scope::of(end) == Some(scope)))
    }

    fn last(&self) -> IpAddr {
        match self.first {
            IpAddr::V4(first) => (first | !v4_mask(self.prefix)).into(),
            IpAddr::V6(first) => (first | !v6_mask(self.prefix)).into(),
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self { first, prefix: bits(first) }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let refused = |why: String| InvalidNetwork { text: text.to_owned(), why };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| refused("expected something like 10.0.0.0/8".to_owned()))?;
        if first.to_canonical() != first {
            return Err(refused(format!("write {} and its own prefix", first.to_canonical())));
        }
        let most = bits(first);
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= most),
            None => Some(most),
        };
        let prefix = prefix.ok_or_else(|| refused(format!("its prefix must be a number from 0 to {most}")))?;
        let network = Self { first: begin(first, prefix), prefix };
        if network.first != first {
            return Err(refused(format!("it has bits beyond its prefix, as {network} has not")));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Addresses that mean something else on each machine or link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Unspecified,
    Loopback,
    LinkLocal,
}

impl Scope {
    fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        let is_link_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        match () {
            () if address.is_unspecified() => Some(Self::Unspecified),
            () if address.is_loopback() => Some(Self::Loopback),
            () if is_link_local => Some(Self::LinkLocal),
            () => None,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all bits cleared that its network does not share.
fn begin(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => (address & v4_mask(prefix)).into(),
        IpAddr::V6(address) => (address & v6_mask(prefix)).into(),
    }
}

fn v4_mask(prefix: u8) -> Ipv4Addr {
    u32::MAX.checked_shl(u32::BITS - u32::from(prefix)).unwrap_or(0).into()
}

fn v6_mask(prefix: u8) -> Ipv6Addr {
    u128::MAX.checked_shl(u128::BITS - u32::from(prefix)).unwrap_or(0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_begins_like_it_and_nothing_else() {
        for (text, within, beyond) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.0/23", "10.1.3.255", "10.1.4.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::/0", "ffff::", "10.0.0.1"),
        ] {
            assert!(network(text).contains(address(within)), "{text} {within}");
            assert!(!network(text).contains(address(beyond)), "{text} {beyond}");
        }
        assert_eq!(network("10.1.2.3"), address("::ffff:10.1.2.3").into());
    }

    #[test]
    fn a_wide_network_does_not_mean_loopback_or_link_local_addresses() {
        for text in ["0.0.0.0/0", "0.0.0.0/1", "126.0.0.0/7", "169.0.0.0/8", "::/0", "::/1", "fe80::/9"] {
            for special in ["127.0.0.1", "0.0.0.0", "169.254.169.254", "::", "::1", "::ffff:127.0.0.1", "fe80::1"] {
                assert!(!network(text).admits(address(special)), "{text} {special}");
            }
        }
        assert!(network("0.0.0.0/0").admits(address("10.0.0.1")) && network("::/0").admits(address("fd00::1")));
        for (text, meant) in [
            ("127.0.0.0/8", "127.0.0.1"),
            ("127.0.0.2", "127.0.0.2"),
            ("::1", "::1"),
            ("169.254.0.0/16", "169.254.169.254"),
            ("fe80::/10", "fe80::1"),
        ] {
            assert!(network(text).admits(address(meant)), "{text} {meant}");
        }
    }

    #[test]
    fn a_text_that_names_no_network_says_why() {
        for text in
            ["", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.1/8", "host/8", "::ffff:1.2.3.4"]
        {
            let refused = text.parse::<Network>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{text} is no network: ")), "{refused}");
        }
        for text in ["10.0.0.0/8", "fd00::/8", "10.1.2.3/32"] {
            assert_eq!(network(text).to_string(), text);
        }
    }
}
