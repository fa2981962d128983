//! One sequence on two stores: every answer, everything heard and the log's past compared after each operation.
//!
//! A difference is returned, never a panic, so that the search can make the sequence shorter. The stores are asked one after the other, the model
//! last; operations do not overlap, as what concurrent calls come to is no function of the sequence.

use std::fmt::Debug;

use watchparty::backend::log::Cut;
use watchparty::model::entry::Seq;
use watchparty::model::history::History;
use watchparty::model::id::SessionId;
use watchparty::model::seat::Snapshot;

use crate::call::{Answer, Call};
use crate::clients::Clients;
use crate::ear;
use crate::model::Model;
use crate::operation::{Operation, Sequence};
use crate::plain::{Broken, Plain};
use crate::store::{Loss, Store};
use crate::truth::Truth;

/// How the comparison ended.
pub(crate) type Outcome = Result<(), Broken>;

/// Both sides of one sequence.
pub(crate) struct Comparison<'a> {
    lead: &'a mut dyn Store,
    model: &'a mut Model,
    pub(crate) session: SessionId,
    pub(crate) clients: Clients,
    plain: [Plain; 2],
    truth: Truth,
    listening: bool,
    marked: u64,
}

/// Runs a sequence on both; `keep` is what both keep of a log.
pub(crate) async fn compare(
    lead: &mut dyn Store,
    model: &mut Model,
    keep: usize,
    sequence: &Sequence,
) -> Outcome {
    let session = SessionId::new_random();
    let mut comparison = Comparison {
        clients: Clients::new(session, sequence.capacity),
        plain: [Plain::new(keep), Plain::new(keep)],
        truth: Truth::default(),
        listening: false,
        marked: 0,
        lead,
        model,
        session,
    };
    let outcome = comparison.run(sequence).await;
    Call::Unlisten.on(&comparison.lead.backend(), session).await;
    outcome
}

impl Comparison<'_> {
    async fn run(&mut self, sequence: &Sequence) -> Outcome {
        self.mark(true);
        for (at, operation) in sequence.operations.iter().enumerate() {
            let done = self.operate(operation).await;
            done.map_err(|broken| format!("at {at}, {operation:?}:\n{broken}"))?;
        }
        let ended = self.look_at_everything().await;
        ended.map_err(|broken| format!("at the end:\n{broken}"))
    }

    async fn operate(&mut self, operation: &Operation) -> Outcome {
        let (now, head) = self.now().await;
        match self.clients.call(operation, now.as_ref(), head) {
            Some(call) => {
                let answer = self.both(&call).await?;
                self.clients.learn(operation, &call, &answer)?;
                if operation.lapses() {
                    self.lead.tick().await;
                    self.model.tick().await;
                }
                match call {
                    Call::Listen => self.listening = true,
                    Call::Unlisten => self.listening = false,
                    _ => {}
                }
            }
            None => self.befall(operation).await,
        }
        self.same_deliveries().await?;
        self.same_past().await?;
        self.mark(false);
        Ok(())
    }

    /// The session as the model has it, before anything is done.
    async fn now(&self) -> (Option<Snapshot>, Seq) {
        let backend = self.model.backend();
        let now = backend.membership.snapshot(self.session, usize::MAX).await.expect("memory answers");
        let page = backend.log.read(self.session, Cut::After(Seq::ZERO), 0).await.expect("memory answers");
        (now, page.map_or(Seq::ZERO, |page| page.history.head))
    }

    fn mark(&mut self, first: bool) {
        self.lead.mark(self.session, first);
        self.model.mark(self.session, first);
    }

    /// Makes one call on both sides and gives the answer they agree on.
    pub(crate) async fn both(&mut self, call: &Call) -> Result<Answer, Broken> {
        let [our_plain, their_plain] = &mut self.plain;
        let our_call = call.with_generations(|name| our_plain.named(name));
        let ours = our_call.on(&self.lead.backend(), self.session).await;
        let their_call = call.with_generations(|name| their_plain.named(name));
        let theirs = their_call.on(&self.model.backend(), self.session).await;
        let ours = our_plain.answer(call, ours).map_err(|broken| format!("the store: {broken}"))?;
        let theirs = their_plain.answer(call, theirs).map_err(|broken| format!("the model: {broken}"))?;
        same("answer", &ours, &theirs).map_err(|broken| format!("{call:?}\n{broken}"))?;
        Ok(theirs)
    }

    /// Each side's time stamps fit together.
    pub(crate) fn times_agree(&self) -> Outcome {
        self.plain.iter().try_for_each(Plain::seated_since)
    }

    /// Something happens to both stores.
    async fn befall(&mut self, operation: &Operation) {
        let session = self.session;
        match operation {
            Operation::Promote => {
                self.lead.promote(session).await;
                self.model.promote(session).await;
            }
            Operation::Restart => {
                self.lead.restart(session).await;
                self.model.restart(session).await;
            }
            Operation::Crash { lost, torn } => {
                let loss = Loss { operations: *lost, torn: *torn };
                let survived = self.lead.crash(session, loss).await;
                self.model.go_back(session, survived);
                let history = self.model_history().await;
                let head = history.as_ref().map_or(Seq::ZERO, |history| history.head);
                self.plain.iter_mut().for_each(|plain| plain.lose_after(head));
                self.truth.lost(history.as_ref());
            }
            other => unreachable!("{other:?} is a call"),
        }
    }

    /// The past as the model tells it, epochs by their names.
    async fn model_history(&mut self) -> Option<History> {
        let log = self.model.backend().log;
        let page = log.read(self.session, Cut::After(Seq::ZERO), 0).await.expect("memory answers")?;
        Some(self.plain[1].history(page.history).expect("the model keeps what it must"))
    }

    async fn same_deliveries(&mut self) -> Outcome {
        let (lead, model) = (self.lead.backend(), self.model.backend());
        let (lead_ear, model_ear) = (self.lead.ear(), self.model.ear());
        if self.listening {
            self.marked += 1;
            for (backend, ear) in [(lead, &lead_ear), (model, &model_ear)] {
                let relayed = backend.log.relay(self.session, ear::mark(self.marked)).await;
                relayed.map_err(|error| format!("{} relays nothing: {error}", backend.name))?;
                ear.reached(self.session, self.marked).await;
            }
        }
        let [our_plain, their_plain] = &mut self.plain;
        let heard = |plain: &mut Plain, ear: &ear::Ear| {
            ear.take(self.session).into_iter().map(|heard| plain.heard(heard)).collect::<Result<Vec<_>, _>>()
        };
        let ours = heard(our_plain, &lead_ear).map_err(|broken| format!("the store told: {broken}"))?;
        let theirs = heard(their_plain, &model_ear).map_err(|broken| format!("the model told: {broken}"))?;
        same("deliveries", &ours, &theirs)
    }

    async fn same_past(&mut self) -> Outcome {
        let answer = self.both(&Call::Read(Cut::After(Seq::ZERO), 0.into())).await?;
        if let Answer::Page(Some(page)) = answer {
            self.truth.goes_on(&page.history);
            self.truth.holds_for(&page.history)?;
        }
        Ok(())
    }
}

/// The difference of two values in words.
fn same<T: PartialEq + Debug>(what: &str, ours: &T, theirs: &T) -> Outcome {
    if ours == theirs {
        return Ok(());
    }
    Err(format!("{what} of the store: {ours:?}\n{what} of the model: {theirs:?}"))
}
