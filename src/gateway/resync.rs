//! Rooms that are behind are brought into step: one read for the whole room, however many listen.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tracing::Instrument as _;

use super::Gateway;
use super::rooms::ROSTER;
use crate::backend::error::BackendError;
use crate::backend::log::Cut;
use crate::hub::Repair;
use crate::metrics::label::{Label as _, ResetReason};
use crate::model::entry::Position;
use crate::model::history::{Continuity, History};
use crate::model::id::SessionId;
use crate::protocol::outbound::{Reset, SessionView, Slots};

/// Entries read at once.
const PAGE: usize = 256;

/// Rooms repaired at once. After a cut all rooms ask together: this bounds what Redis sees of it.
const AT_ONCE: usize = 32;

/// The pause before a failed read is tried again, jittered.
const RETRY: Duration = Duration::from_millis(200);

impl Gateway {
    /// Repairs for ever.
    pub async fn run_resync(self: Arc<Self>) {
        let gateway = &self;
        loop {
            let rooms = gateway.parts.hub.behind().take(AT_ONCE).await;
            stream::iter(rooms)
                .for_each_concurrent(None, |(session, at)| async move { gateway.repair(session, at).await })
                .await;
        }
    }

    async fn repair(self: &Arc<Self>, session: SessionId, at: Position) {
        let span = tracing::debug_span!(parent: None, "resync");
        match self.read_repair(session, at).instrument(span).await {
            Ok(repair) => self.parts.hub.repair(session, repair).await,
            Err(error) => {
                tracing::debug!(%error, "room not repaired yet");
                tokio::time::sleep(RETRY.mul_f64(0.5 + fastrand::f64())).await;
                self.parts.hub.behind().ask(session, at);
            }
        }
    }

    async fn read_repair(self: &Arc<Self>, session: SessionId, at: Position) -> Result<Repair, BackendError> {
        let Some(page) = self.parts.backend.log.read(session, Cut::After(at.seq), PAGE).await? else {
            return Ok(Repair::Gone);
        };
        let reason = match page.history.continuity(at) {
            Continuity::Holds => return Ok(Repair::Page(page)),
            Continuity::Trimmed => ResetReason::Trimmed,
            Continuity::Diverged => ResetReason::Diverged,
            Continuity::UnknownEpoch => ResetReason::UnknownEpoch,
        };
        Ok(match self.read_reset(session, reason).await? {
            Some((frame, history)) => Repair::Reset { frame, history },
            None => Repair::Gone,
        })
    }

    /// What a listener is told whose past is not the log's, and where it goes on.
    pub(super) async fn read_reset(
        self: &Arc<Self>,
        session: SessionId,
        reason: ResetReason,
    ) -> Result<Option<(Bytes, History)>, BackendError> {
        // A beat without seats writes nothing but an epoch that is due. If nobody wrote since a tail was lost, the log is still
        // under the epoch it was lost in, and nobody may stand in one epoch before and after the loss: a number would have two meanings.
        let lease = self.parts.config.sessions.participant_lease;
        self.parts.backend.membership.beat(session, &[], lease).await?;
        let Some(snapshot) = self.parts.backend.membership.snapshot(session, ROSTER).await? else {
            return Ok(None);
        };
        tracing::warn!(reason = reason.value(), "continuity broke, listeners are reset");
        self.parts.metrics.fan_out.resets.get(reason).increment(1);
        self.reset_film(session, &snapshot.slots);
        let people = self.list(session, snapshot.participants);
        let frame = Reset {
            reason: reason.value(),
            session: SessionView::from(&snapshot.record),
            epoch: snapshot.history.epoch,
            head: snapshot.history.head,
            participants: &people,
            participants_total: snapshot.participants_total,
            host_id: snapshot.record.host,
            slots: Slots(&snapshot.slots),
            now_ms: self.now(),
        }
        .encode();
        Ok(Some((frame, snapshot.history)))
    }
}
