//! Publishing: one queue per session, one call in flight (group commit).
//!
//! What arrives while a call is under way goes out with the next one: idle sessions wait for nothing, busy ones batch by
//! themselves, and every message of a session keeps the order it came in. A call whose outcome is unknown is repeated with what can
//! be recognised when repeated, until `DEADLINE`; what cannot is answered `unavailable`, because it may or may not be in the log.

#[cfg(feature = "sabotage")]
mod sabotaged;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Gateway;
use super::error::{GatewayError, RETRY_MS, refused};
use crate::backend::error::BackendError;
use crate::backend::log::{Dedup, Publish, Published, Refusal};
use crate::metrics::label::EntryResult;
use crate::model::entry::Position;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::playback::Reason;
use crate::model::playback::command::Command;
use crate::model::record::{EntryKind, Record};
use crate::model::seat::Generation;
use crate::model::verb::Verb;
use crate::protocol::problem::{Code, Fault};

/// Messages in one call: enough to make the call's fixed cost small, few enough that Redis is not held for a millisecond.
const BATCH: usize = 64;
/// Bytes in one call.
const BATCH_BYTES: usize = 256 * 1024;
/// Messages one session may have waiting. Connections stop being read at 32 each, so only HTTP callers meet it.
const QUEUE: usize = 4096;
/// How long a publish is tried (`DELIVERY`, "The node").
const DEADLINE: Duration = Duration::from_secs(5);
/// The first pause between tries; each further one is twice as long, up to half a second, jittered.
const PAUSE: Duration = Duration::from_millis(50);
/// A version no record ever has: a publish that wants it is judged and never lands. Exact in a script's numbers.
const NO_VERSION: u64 = (1 << 53) - 1;
/// Tries of a wish whose ground moved under it.
const TURN_TRIES: usize = 3;

/// What was asked to be published.
#[derive(Debug)]
pub(super) enum Draft {
    /// It is ready.
    Ready(Publish),
    /// What it becomes is decided when its turn comes, on what the session is then.
    Turn(TurnDraft),
}

/// A wish that waits for its turn.
#[derive(Debug, Clone)]
pub(super) struct TurnDraft {
    /// Who asks; `None`: this node.
    pub(super) author: Option<ParticipantId>,
    pub(super) generation: Option<Generation>,
    pub(super) dedup: Dedup,
    pub(super) asked: Asked,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// A verb.
    Verb(Verb),
    /// Something of the film.
    Film(Command),
    /// The end of the film's wait; a node asks, and others do at the same time.
    Start { version: u64, reason: Reason },
    /// The film by the clock that is the cluster's now; a node asks, and others do at the same time.
    Redate { version: u64 },
}

/// The answer to a publish.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is in the log, and was before when `duplicate`.
    Acked {
        /// Where.
        at: Position,
        /// Whether it was there already.
        duplicate: bool,
    },
    /// It is not, or nobody knows (`unavailable`).
    Refused(Fault),
}

pub(super) type Respond = Box<dyn FnOnce(Answer) + Send>;

struct Item {
    draft: Draft,
    respond: Respond,
    since: Instant,
}

/// The queues of this node's sessions. One that is in the map has a task that works on it.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<SessionId, VecDeque<Item>>>);

impl Queues {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, VecDeque<Item>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, or the end of the queue. A wish ends its batch: nothing overtakes its tries.
    fn next(&self, session: SessionId) -> Option<Vec<Item>> {
        let mut queues = self.lock();
        let queue = queues.get_mut(&session)?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(item) = queue.front() {
            let turn = matches!(item.draft, Draft::Turn(_));
            if let Draft::Ready(publish) = &item.draft {
                bytes += publish.record.stored().len();
            }
            if !batch.is_empty() && (batch.len() == BATCH || bytes > BATCH_BYTES || turn) {
                break;
            }
            batch.extend(queue.pop_front());
            if turn {
                break;
            }
        }
        if batch.is_empty() {
            queues.remove(&session);
            return None;
        }
        Some(batch)
    }
}

impl Gateway {
    /// Puts a participant's words into the queue; `respond` is called once, in the order of the queue.
    pub fn submit_words(
        self: &Arc<Self>,
        seat: crate::model::seat::Seat,
        n: Option<u64>,
        kind: EntryKind,
        data: &RawValue,
        respond: impl FnOnce(Answer) + Send + 'static,
    ) {
        let record = Record::new(kind, Some(seat.participant), n, data.get());
        let publish = Publish {
            author: Some(seat.participant),
            generation: Some(seat.generation),
            dedup: n.map_or(Dedup::None, Dedup::Number),
            record,
            if_version: None,
            effect: None,
        };
        self.submit(seat.session, Draft::Ready(publish), Box::new(respond));
    }

    /// Puts a participant's verb into the queue; `respond` is called once.
    pub fn submit_verb(
        self: &Arc<Self>,
        seat: crate::model::seat::Seat,
        n: Option<u64>,
        verb: Verb,
        respond: impl FnOnce(Answer) + Send + 'static,
    ) {
        let draft = TurnDraft {
            author: Some(seat.participant),
            generation: Some(seat.generation),
            dedup: n.map_or(Dedup::None, Dedup::Number),
            asked: Asked::Verb(verb),
        };
        self.submit(seat.session, Draft::Turn(draft), Box::new(respond));
    }

    /// Publishes words without a seat and waits for the answer.
    pub(super) async fn say(
        self: &Arc<Self>,
        session: SessionId,
        author: Option<ParticipantId>,
        dedup: Dedup,
        kind: EntryKind,
        data: &RawValue,
    ) -> Result<Position, GatewayError> {
        let record = Record::new(kind, author, None, data.get());
        let publish = Publish { author, generation: None, dedup, record, if_version: None, effect: None };
        self.wait_for(session, Draft::Ready(publish)).await
    }

    /// Does a verb without a seat and waits for the answer.
    pub(super) async fn perform(
        self: &Arc<Self>,
        session: SessionId,
        author: ParticipantId,
        verb: Verb,
    ) -> Result<Position, GatewayError> {
        let asked = Asked::Verb(verb);
        let draft = TurnDraft { author: Some(author), generation: None, dedup: Dedup::None, asked };
        self.wait_for(session, Draft::Turn(draft)).await
    }

    /// Puts a draft into the queue and waits for the answer.
    pub(super) async fn wait_for(
        self: &Arc<Self>,
        session: SessionId,
        draft: Draft,
    ) -> Result<Position, GatewayError> {
        let (send, answer) = oneshot::channel();
        // A caller who went away wants no answer.
        self.submit(session, draft, Box::new(|answer| drop(send.send(answer))));
        match answer.await {
            Ok(Answer::Acked { at, .. }) => Ok(at),
            Ok(Answer::Refused(fault)) => Err(fault.into()),
            Err(_) => Err(GatewayError::of(Code::Internal)),
        }
    }

    pub(super) fn submit(self: &Arc<Self>, session: SessionId, draft: Draft, respond: Respond) {
        let item = Item { draft, respond, since: Instant::now() };
        let overflow = {
            let mut queues = self.queues.lock();
            match queues.get_mut(&session) {
                Some(queue) if queue.len() >= QUEUE => Some(item),
                Some(queue) => {
                    queue.push_back(item);
                    return;
                }
                None => {
                    queues.insert(session, VecDeque::from([item]));
                    None
                }
            }
        };
        if let Some(item) = overflow {
            return self.respond(item, Err(unavailable()));
        }
        let gateway = self.clone();
        self.parts.tracker.spawn(async move { gateway.work(session).await });
    }

    async fn work(&self, session: SessionId) {
        let _watch = Deserted { queues: &self.queues, session };
        while let Some(mut batch) = self.queues.next(session) {
            if matches!(batch.first(), Some(Item { draft: Draft::Turn(_), .. })) {
                if let Some(item) = batch.pop() {
                    // Boxed: a wish's way is many times as long as that of words, and the task is made anew for every few words.
                    Box::pin(self.take_turn(session, item)).await;
                }
                continue;
            }
            self.commit(session, batch).await;
        }
    }

    /// A wish at its turn: decided, tried, and decided anew when the ground moved.
    async fn take_turn(&self, session: SessionId, item: Item) {
        let Draft::Turn(draft) = &item.draft else { return };
        let mut result = Err(Fault::of(Code::Conflict).retry_after(RETRY_MS));
        for _ in 0..TURN_TRIES {
            result = match self.resolve(session, draft).await {
                Ok(publish) => self.call_one(session, publish).await,
                Err(error) => self.said_before(session, draft, error.fault()).await,
            };
            if !matches!(&result, Ok(Published::Refused(Refusal::Conflict))) {
                break;
            }
        }
        if let (Asked::Start { .. } | Asked::Redate { .. }, Err(fault)) = (&draft.asked, &result)
            && fault.code == Code::Conflict
        {
            // Another node was first: no publish of anybody's was refused.
            return (item.respond)(Answer::Refused(fault.clone()));
        }
        self.respond(item, result);
    }

    /// A wish that is refused now may be in the log: sent again by somebody who has given the crown away by it. The log knows by its
    /// number, which is asked for by a publish that can never land.
    async fn said_before(
        &self,
        session: SessionId,
        draft: &TurnDraft,
        fault: Fault,
    ) -> Result<Published, Fault> {
        let (Dedup::Number(_), Some(_)) = (draft.dedup, draft.author) else { return Err(fault) };
        let question = Publish {
            author: draft.author,
            generation: draft.generation,
            dedup: draft.dedup,
            record: Record::new(EntryKind::Event, draft.author, None, "null"),
            if_version: Some(NO_VERSION),
            effect: None,
        };
        match self.call_one(session, question).await {
            Ok(published @ Published::Duplicate(_)) => Ok(published),
            _ => Err(fault),
        }
    }

    /// Decides a wish on the session as it is now.
    async fn resolve(&self, session: SessionId, draft: &TurnDraft) -> Result<Publish, GatewayError> {
        match (&draft.asked, draft.author) {
            (Asked::Verb(verb), Some(author)) => self.resolve_verb(session, draft, author, verb).await,
            (Asked::Film(command), Some(author)) => self.resolve_film(session, draft, author, command).await,
            (Asked::Start { version, reason }, None) => self.resolve_start(session, *version, *reason).await,
            (Asked::Redate { version }, None) => self.resolve_redate(session, *version).await,
            // Nobody is no host, and only nodes end a wait or know of clocks.
            _ => Err(GatewayError::of(Code::Forbidden)),
        }
    }

    async fn call_one(&self, session: SessionId, publish: Publish) -> Result<Published, Fault> {
        let repeatable = publish.dedup != Dedup::None;
        match self.call(session, &[publish], Instant::now() + DEADLINE, repeatable).await {
            Ok(mut results) => results.pop().ok_or_else(|| Fault::of(Code::Internal)),
            Err(_) => Err(unavailable()),
        }
    }

    /// Words, in one call or as many as it takes.
    async fn commit(&self, session: SessionId, batch: Vec<Item>) {
        let deadline = batch.first().map_or_else(Instant::now, |item| item.since) + DEADLINE;
        let publishes: Vec<Publish> = batch.iter().filter_map(Item::ready).cloned().collect();
        let repeatable = publishes.iter().all(|publish| publish.dedup != Dedup::None);
        #[cfg(feature = "sabotage")]
        let batch = self.ack_if_sabotaged(batch);
        match self.call(session, &publishes, deadline, repeatable).await {
            Ok(results) => {
                for (item, published) in batch.into_iter().zip(results) {
                    self.respond(item, Ok(published));
                }
            }
            Err(BackendError::Unknown(_)) if !repeatable => {
                // What can be recognised is sent again; the rest may be in the log or not, and is not sent twice.
                let (again, lost): (Vec<_>, Vec<_>) = batch.into_iter().partition(Item::is_repeatable);
                lost.into_iter().for_each(|item| self.respond(item, Err(unavailable())));
                if !again.is_empty() {
                    Box::pin(self.commit(session, again)).await;
                }
            }
            Err(_) => batch.into_iter().for_each(|item| self.respond(item, Err(unavailable()))),
        }
    }

    /// One call, tried until the deadline: always when nothing was done, and when `repeatable` also when nobody knows.
    async fn call(
        &self,
        session: SessionId,
        batch: &[Publish],
        deadline: Instant,
        repeatable: bool,
    ) -> Result<Vec<Published>, BackendError> {
        let mut pause = PAUSE;
        loop {
            let span = tracing::debug_span!(parent: None, "publish", entries = i64::try_from(batch.len()).unwrap_or(i64::MAX));
            let error = match self.parts.backend.log.publish(session, batch).instrument(span).await {
                Ok(results) => return Ok(results),
                Err(error) => error,
            };
            let again = match &error {
                BackendError::Unavailable(_) => true,
                BackendError::Unknown(_) => repeatable,
                BackendError::Unreadable(_) => false,
            };
            let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            if !again || Instant::now() + wait >= deadline {
                tracing::warn!(%error, entries = batch.len(), "publish failed");
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE * 10);
        }
    }

    fn respond(&self, item: Item, result: Result<Published, Fault>) {
        let sessions = &self.parts.metrics.sessions;
        let (label, answer) = match result {
            Ok(Published::Accepted(at)) => (EntryResult::Accepted, Answer::Acked { at, duplicate: false }),
            Ok(Published::Duplicate(at)) => (EntryResult::Duplicate, Answer::Acked { at, duplicate: true }),
            Ok(Published::Refused(refusal)) => (label(refusal), Answer::Refused(refused(refusal))),
            Err(fault) => (fault_label(fault.code), Answer::Refused(fault)),
        };
        sessions.entries.get(label).increment(1);
        (item.respond)(answer);
        sessions.publish.record(item.since.elapsed());
    }
}

/// Gives a queue up when its task ends by a panic: what waits is dropped, which answers it, and the next publish starts anew.
struct Deserted<'q> {
    queues: &'q Queues,
    session: SessionId,
}

impl Drop for Deserted<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queues.lock().remove(&self.session);
        }
    }
}

impl Item {
    fn ready(&self) -> Option<&Publish> {
        match &self.draft {
            Draft::Ready(publish) => Some(publish),
            Draft::Turn(_) => None,
        }
    }

    fn is_repeatable(&self) -> bool {
        self.ready().is_some_and(|publish| publish.dedup != Dedup::None)
    }
}

fn unavailable() -> Fault {
    Fault::of(Code::Unavailable).retry_after(RETRY_MS)
}

fn label(refusal: Refusal) -> EntryResult {
    match refusal {
        Refusal::Stale => EntryResult::Stale,
        Refusal::Gap { .. } => EntryResult::Gap,
        Refusal::Banned => EntryResult::Forbidden,
        Refusal::NoSession | Refusal::Conflict | Refusal::NoSuchParticipant => EntryResult::Invalid,
    }
}

fn fault_label(code: Code) -> EntryResult {
    match code {
        Code::Forbidden => EntryResult::Forbidden,
        Code::Unavailable => EntryResult::Unavailable,
        Code::Internal => EntryResult::Error,
        _ => EntryResult::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the future of an asynchronous function.
    fn task<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    async fn work(gateway: Arc<Gateway>, session: SessionId) {
        gateway.work(session).await;
    }

    #[test]
    fn the_task_of_a_publish_is_small() {
        assert!(task(work) <= 640, "{} bytes", task(work));
    }
}
