//! How many connections there may be: on the node, from one address, and from one address before a token was accepted.
//! Each is counted before anything is allocated for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::Metrics;
use crate::metrics::label::RefusedReason;
use crate::model::address::LimitKey;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Of the node.
    pub node: usize,
    /// Of one address.
    pub address: usize,
    /// Of one address, without an accepted token.
    pub pending: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    all: usize,
    pending: usize,
}

#[derive(Debug, Default)]
struct State {
    all: usize,
    addresses: HashMap<LimitKey, Count>,
}

/// Counts connections.
pub struct Gate {
    caps: Caps,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

impl Gate {
    /// Nobody is in.
    #[must_use]
    pub fn new(caps: Caps, metrics: Arc<Metrics>) -> Arc<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
        metrics.sockets.limit.set(caps.node as f64);
        Arc::new(Self { caps, state: Mutex::default(), metrics })
    }

    /// Lets one more in, still to show a token.
    ///
    /// # Errors
    /// `Capacity` when the node is full, `Address` when the address is.
    pub fn enter(self: &Arc<Self>, address: LimitKey) -> Result<Ticket, RefusedReason> {
        let mut state = self.lock();
        if state.all >= self.caps.node {
            return Err(RefusedReason::Capacity);
        }
        let count = state.addresses.get(&address).copied().unwrap_or_default();
        if count.all >= self.caps.address || count.pending >= self.caps.pending {
            return Err(RefusedReason::Address);
        }
        state.all += 1;
        state.addresses.insert(address, Count { all: count.all + 1, pending: count.pending + 1 });
        self.metrics.sockets.connections.increment(1.0);
        self.metrics.sockets.opened.increment(1);
        Ok(Ticket { gate: self.clone(), address, pending: true })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place. Given back when dropped.
pub struct Ticket {
    gate: Arc<Gate>,
    address: LimitKey,
    pending: bool,
}

impl Ticket {
    /// The connection showed a token.
    pub fn accepted(&mut self) {
        if std::mem::take(&mut self.pending)
            && let Some(count) = self.gate.lock().addresses.get_mut(&self.address)
        {
            count.pending -= 1;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.accepted();
        let mut state = self.gate.lock();
        state.all -= 1;
        if let Some(count) = state.addresses.get_mut(&self.address) {
            count.all -= 1;
            if count.all == 0 {
                state.addresses.remove(&self.address);
            }
        }
        drop(state);
        self.gate.metrics.sockets.connections.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(node: usize, address: usize, pending: usize) -> Arc<Gate> {
        Gate::new(Caps { node, address, pending }, crate::hub::quiet_metrics())
    }

    fn from(text: &str) -> LimitKey {
        LimitKey::from(text.parse::<std::net::IpAddr>().expect("an address"))
    }

    #[tokio::test]
    async fn each_cap_binds_and_a_place_comes_back() {
        let gate = gate(3, 2, 2);
        let (a, b) = (from("192.0.2.1"), from("192.0.2.2"));
        let first = gate.enter(a).expect("room");
        let _second = gate.enter(a).expect("room");
        assert_eq!(gate.enter(a).err(), Some(RefusedReason::Address));
        let _third = gate.enter(b).expect("room");
        assert_eq!(gate.enter(b).err(), Some(RefusedReason::Capacity));
        drop(first);
        assert!(gate.enter(a).is_ok());
    }

    #[tokio::test]
    async fn the_pending_make_room_by_showing_a_token() {
        let gate = gate(10, 10, 1);
        let a = from("2001:db8::1");
        let mut first = gate.enter(a).expect("room");
        assert_eq!(gate.enter(from("2001:db8::2")).err(), Some(RefusedReason::Address), "one /64");
        first.accepted();
        first.accepted();
        let second = gate.enter(a).expect("room");
        drop((first, second));
        assert!(gate.lock().addresses.is_empty());
        assert_eq!(gate.lock().all, 0);
    }
}
