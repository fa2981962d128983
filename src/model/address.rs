//! What a client's address counts as: one IPv4 address, or one IPv6 /64.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The key of per-address limits. Providers hand out a /64 and more, so a whole one is one household.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey(IpAddr);

/// IPv4 mapped into IPv6 is IPv4.
impl From<IpAddr> for LimitKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let bits = u128::from(v6) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(bits))
            }
        })
    }
}

/// One spelling for one client, as the network it is: `192.0.2.1/32`, `2001:db8::/64`.
impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}/32"),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_key() {
        for (address, key) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(LimitKey::from(address.parse::<IpAddr>().unwrap()).to_string(), key);
        }
    }
}
