//! Passing on: `signal` and `notify`, from one participant to another or to all, on whatever node. Nothing is kept.

use super::Gateway;
use super::error::GatewayError;
use crate::backend::log::Relay;
use crate::model::seat::Seat;
use crate::protocol::inbound::Relayed;
use crate::protocol::outbound;
use crate::protocol::problem::Code;

impl Gateway {
    /// Passes a frame on, with `from` and `ts` set here.
    ///
    /// # Errors
    /// `peer_unreachable` when the receiver holds no seat; `unavailable`.
    pub async fn relay(&self, seat: Seat, relayed: Relayed) -> Result<(), GatewayError> {
        let Relayed { kind, to, data } = relayed;
        let frame = outbound::relayed(kind, seat.participant, to, self.now(), &data);
        if self.parts.backend.log.relay(seat.session, Relay { to, frame }).await? {
            Ok(())
        } else {
            Err(GatewayError::of(Code::PeerUnreachable))
        }
    }
}
