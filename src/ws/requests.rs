//! Carrying out what the machine ordered: each answer goes to the outbox when it is there, and the connection never waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::machine::Order;
use crate::gateway::Gateway;
use crate::gateway::error::GatewayError;
use crate::gateway::publish::Answer;
use crate::hub::Room;
use crate::hub::outbox::Outbox;
use crate::model::id::ParticipantId;
use crate::model::seat::Seat;
use crate::protocol::inbound::{HistoryRequest, Relayed};
use crate::protocol::outbound;
use crate::protocol::peers::Listed;
use crate::protocol::problem::Fault;

/// A page of the past counts as so many answers owed: it can be half a megabyte, and few of them fit into an outbox.
const PAGE_OWES: u32 = 16;

/// Answers owed, paid when this is dropped: a task that ends in a panic owes nothing for ever.
struct Debt {
    outbox: Arc<Outbox>,
    answers: u32,
}

impl Debt {
    fn new(outbox: &Arc<Outbox>, answers: u32) -> Self {
        (0..answers).for_each(|_| {
            outbox.debts().owe();
        });
        Self { outbox: outbox.clone(), answers }
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        (0..self.answers).for_each(|_| self.outbox.paid());
    }
}

/// A greeted connection's means to act.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) gateway: Arc<Gateway>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) seat: Seat,
    relays: Arc<Mutex<Relays>>,
}

/// What waits to be passed on, in the order it came: an answer must not overtake its offer. Bounded by what may be unanswered.
#[derive(Default)]
struct Relays {
    waiting: VecDeque<(Option<String>, Relayed)>,
    /// A task works on it.
    busy: bool,
}

impl Actor {
    pub(super) fn new(gateway: Arc<Gateway>, outbox: Arc<Outbox>, seat: Seat) -> Self {
        Self { gateway, outbox, seat, relays: Arc::default() }
    }

    /// Starts what an order asks for. Every order that is owed an answer gets exactly one. `room`: the one it listens to.
    pub(super) fn carry_out(&self, order: Order, room: &Arc<Room>) {
        match order {
            Order::Say { id, n, kind, data } => {
                let respond = self.owe(id, n, room);
                self.gateway.submit_words(self.seat, n, kind, &data, respond);
            }
            Order::Do { id, n, verb } => {
                let respond = self.owe(id, n, room);
                self.gateway.submit_verb(self.seat, n, verb, respond);
            }
            Order::Film { id, n, command } => {
                let respond = self.owe(id, n, room);
                self.gateway.submit_film(self.seat, n, command, respond);
            }
            Order::Ready { version } => {
                self.gateway.film_ready(self.seat, self.outbox.connection, version);
            }
            Order::Report(report) => {
                self.gateway.film_report(self.seat, self.outbox.connection, report);
            }
            Order::Relay { id, relayed } => self.relay(id, relayed),
            Order::History { id, request } => self.history(id, request),
            Order::Participants { id, after, limit } => self.participants(id, after, limit),
            Order::Pong { id, t0 } => {
                let now = self.gateway.now();
                self.outbox.send("pong", &outbound::pong(id.as_deref(), &t0, now, self.gateway.now()));
            }
            Order::Refuse { id, n, fault } => self.refuse(id.as_deref(), n, &fault),
            // The connection's own business.
            Order::Refresh { .. } | Order::Leave | Order::Close(_) | Order::Ignore => {}
        }
    }

    pub(super) fn refuse(&self, id: Option<&str>, n: Option<u64>, fault: &Fault) {
        self.outbox.send("error", &outbound::error(id, n, fault));
    }

    pub(super) fn reply(&self, id: Option<&str>, data: &impl Serialize) {
        self.outbox.send("reply", &outbound::reply(id, data));
    }

    fn owe(
        &self,
        id: Option<String>,
        n: Option<u64>,
        room: &Arc<Room>,
    ) -> impl FnOnce(Answer) + Send + 'static {
        let (debt, room) = (Debt::new(&self.outbox, 1), room.clone());
        move |answer| match answer {
            Answer::Acked { at, duplicate } => {
                let ack = outbound::ack(id.as_deref(), n, at, duplicate);
                debt.outbox.ack(at.seq, room.is_small(), &ack);
            }
            Answer::Refused(fault) => {
                debt.outbox.send("error", &outbound::error(id.as_deref(), n, &fault));
            }
        }
    }

    fn relay(&self, id: Option<String>, relayed: Relayed) {
        self.outbox.debts().owe();
        let was_busy = {
            let mut relays = self.lock_relays();
            relays.waiting.push_back((id, relayed));
            std::mem::replace(&mut relays.busy, true)
        };
        if !was_busy {
            let actor = self.clone();
            self.gateway.tracker().spawn(async move { actor.pass_on().await });
        }
    }

    /// Passes on one after another until nothing waits.
    async fn pass_on(&self) {
        while let Some((id, relayed)) = self.next_relay() {
            if let Err(error) = self.gateway.relay(self.seat, relayed).await {
                self.refuse(id.as_deref(), None, &error.fault());
            }
            self.outbox.paid();
        }
    }

    fn next_relay(&self) -> Option<(Option<String>, Relayed)> {
        let mut relays = self.lock_relays();
        let next = relays.waiting.pop_front();
        relays.busy = next.is_some();
        next
    }

    fn lock_relays(&self) -> MutexGuard<'_, Relays> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self, id: Option<String>, request: HistoryRequest) {
        self.answer(id, PAGE_OWES, |actor| async move {
            let page = actor.gateway.history(actor.seat.session, request).await?;
            Ok(outbound::entries(page.history.epoch, page.history.head, &page.entries))
        });
    }

    fn participants(&self, id: Option<String>, after: Option<ParticipantId>, limit: usize) {
        #[derive(Serialize)]
        struct Roster {
            participants: Vec<Listed>,
        }
        self.answer(id, PAGE_OWES, move |actor| async move {
            let participants = actor.gateway.listed(actor.seat.session, after, limit).await?;
            Ok(Roster { participants })
        });
    }

    /// Answers a request from a tracked task.
    fn answer<F, D>(&self, id: Option<String>, owes: u32, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = Result<D, GatewayError>> + Send + 'static,
        D: Serialize + Send,
    {
        let actor = self.clone();
        let debt = Debt::new(&self.outbox, owes);
        let work = work(self.clone());
        self.gateway.tracker().spawn(async move {
            match work.await {
                Ok(data) => actor.reply(id.as_deref(), &data),
                Err(error) => actor.refuse(id.as_deref(), None, &error.fault()),
            }
            drop(debt);
        });
    }
}
