//! Who is at the other end of a request: the layer that asks `client_ip` once and keeps the answer with it.
//!
//! Not responsible for the rule, nor for what is done with an address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use super::Edge;
use super::client_ip::AddressRule;
use crate::config::proxies::ProxiesConfig;

/// Who asks. In the extensions of every request that passed the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Whose request it is: what limits count against.
    pub client: IpAddr,
    /// Whether the connection comes from a trusted proxy, whose forwarding headers are believed.
    pub trusted: bool,
}

/// `TRUSTED_PROXIES` and `CLIENT_IP_HEADER`, ready to be asked.
pub struct Addresses {
    rule: AddressRule,
    trusted: Vec<IpNet>,
    /// Whether it was said that somebody untrusted sends the header; once is enough for an operator to see it.
    warned: AtomicBool,
}

impl Addresses {
    /// Takes the settings.
    #[must_use]
    pub fn new(proxies: &ProxiesConfig) -> Self {
        Self {
            rule: AddressRule::new(proxies.trusted.clone(), proxies.header),
            trusted: proxies.trusted.clone(),
            warned: AtomicBool::new(false),
        }
    }

    /// Who is behind a connection's peer.
    #[must_use]
    pub fn peer(&self, peer: IpAddr, headers: &HeaderMap) -> Peer {
        let client = self.rule.client(peer, headers);
        if client.header_ignored && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a client address header came from a peer that is no trusted proxy and is ignored"
            );
        }
        Peer { client: client.address, trusted: self.trusts(peer) }
    }

    /// Whether a connection's peer is a trusted proxy.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}

/// The layer. The accept loop puts [`ConnectInfo`] into each request; one without it shares a single address with all its
/// like, so that forgetting it limits too much and never too little.
pub async fn find(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let peer = edge.addresses.peer(address, request.headers());
    request.extensions_mut().insert(peer);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::proxies::ClientIpHeader;

    #[test]
    fn only_a_trusted_peer_speaks_for_others() {
        let proxies = ProxiesConfig {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            header: ClientIpHeader::XForwardedFor,
        };
        let addresses = Addresses::new(&proxies);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        for (peer, client, trusted) in [
            ("10.1.2.3", "192.0.2.7", true),
            ("::ffff:10.1.2.3", "192.0.2.7", true),
            ("198.51.100.1", "198.51.100.1", false),
        ] {
            let found = addresses.peer(peer.parse().unwrap(), &headers);
            assert_eq!(found, Peer { client: client.parse().unwrap(), trusted }, "{peer}");
        }
        assert!(addresses.warned.load(Ordering::Relaxed), "the untrusted one was warned of");
    }
}
