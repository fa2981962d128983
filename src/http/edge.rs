//! What every route and layer of the edge can reach. Built once by the server, cloned for each request at the price of a few
//! reference counts.

use std::sync::Arc;

use super::peer::Addresses;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::hub::wheel::Wheels;
use crate::metrics::Metrics;
use crate::ws::Sockets;

/// The gateway, and what the edge itself needs to know.
#[derive(Clone)]
pub struct Edge {
    /// The product's verbs.
    pub gateway: Arc<Gateway>,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// Settings.
    pub config: Arc<Config>,
    /// Who asks.
    pub addresses: Arc<Addresses>,
    /// What sockets share; event streams are counted with them.
    pub sockets: Arc<Sockets>,
    /// Event streams, to be kept awake.
    pub streams: Arc<Wheels>,
}

impl Edge {
    /// Puts the parts together.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, sockets: Arc<Sockets>, streams: Arc<Wheels>) -> Self {
        let (metrics, config) = (gateway.metrics().clone(), gateway.config().clone());
        let addresses = Arc::new(Addresses::new(&config.proxies));
        Self { gateway, metrics, config, addresses, sockets, streams }
    }
}
