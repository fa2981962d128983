//! Whose address a request counts against: the peer's, or the one a trusted proxy tells of.
//!
//! Responsible for that rule alone, as a pure function of peer and headers. Not responsible for counting (limiter) nor
//! for reading the settings `TRUSTED_PROXIES` and `CLIENT_IP_HEADER`.
//!
//! Each proxy appends on the right, and anyone may send anything on the left. So the walk goes from the right, past hops
//! that are trusted, to the first that is not; what stands left of it is hearsay and never even parsed.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::config::proxies::ClientIpHeader;

/// Which peers are believed, and which header of theirs.
#[derive(Debug, Clone)]
pub struct AddressRule {
    trusted: Vec<IpNet>,
    header: ClientIpHeader,
}

/// The answer for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The address to count against; IPv4 even if it came mapped into IPv6.
    pub address: IpAddr,
    /// The header was there, but came from a peer that is not trusted: a forgery, or a proxy missing in the settings.
    pub header_ignored: bool,
}

impl AddressRule {
    /// Takes `TRUSTED_PROXIES` and `CLIENT_IP_HEADER`. No networks: every peer is itself.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>, header: ClientIpHeader) -> Self {
        Self { trusted, header }
    }

    /// The client behind a peer.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        let name = self.header.name();
        if !self.trusts(peer) {
            return Client { address: peer, header_ignored: headers.contains_key(name) };
        }
        let mut last_good = peer;
        for line in headers.get_all(name).iter().rev() {
            // A line with bytes that are no text is a hop that does not parse, wherever in it they stand: the servers
            // in front may have cut it at another place.
            let Ok(line) = line.to_str() else { break };
            let (hop, more) = self.walk(line, last_good);
            last_good = hop;
            if !more || self.holds_one_address() {
                break;
            }
        }
        Client { address: last_good, header_ignored: false }
    }

    /// Walks one line from the right: the last good hop, and whether the walk may go on to the line before.
    fn walk(&self, line: &str, mut last_good: IpAddr) -> (IpAddr, bool) {
        let mut rest = Some(line);
        while let Some(line) = rest {
            let (before, hop) = self.last_hop(line);
            let Some(hop) = hop else { return (last_good, false) };
            last_good = hop;
            if !self.trusts(hop) {
                return (last_good, false);
            }
            rest = before;
        }
        (last_good, true)
    }

    /// Cuts the right-most hop off a line: what stands before its comma, and the address in it.
    fn last_hop<'a>(&self, line: &'a str) -> (Option<&'a str>, Option<IpAddr>) {
        match self.header {
            ClientIpHeader::XForwardedFor => {
                let (before, hop) = split_last(line, line.rfind(','));
                (before, node_address(hop.trim()))
            }
            ClientIpHeader::Forwarded => {
                let (before, hop) = split_last(line, last_unquoted_comma(line));
                (before, forwarded_for(hop))
            }
            ClientIpHeader::XRealIp | ClientIpHeader::CfConnectingIp => (None, node_address(line.trim())),
        }
    }

    const fn holds_one_address(&self) -> bool {
        matches!(self.header, ClientIpHeader::XRealIp | ClientIpHeader::CfConnectingIp)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

fn split_last(line: &str, comma: Option<usize>) -> (Option<&str>, &str) {
    comma.map_or((None, line), |at| (Some(&line[..at]), &line[at + 1..]))
}

/// The last comma outside quotes, found from the right: a quote that a client left open on the left must not swallow
/// what a proxy appended. Escaped quotes are not understood; an element with one does not parse, and the walk stops.
fn last_unquoted_comma(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.bytes().enumerate().rev().find_map(|(at, byte)| {
        quoted ^= byte == b'"';
        (byte == b',' && !quoted).then_some(at)
    })
}

/// The address of one `Forwarded` element (RFC 7239, section 4): its only `for=`. `unknown` and `_names` give none.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut quoted = false;
    let pairs = element.split(|letter| {
        quoted ^= letter == '"';
        letter == ';' && !quoted
    });
    let mut nodes = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let (node, second) = (nodes.next()?, nodes.next());
    if second.is_some() {
        return None;
    }
    let node = match node.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => node,
    };
    node_address(node)
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node_address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests;
