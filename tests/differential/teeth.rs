//! That the comparison bites: a store that is wrong in one way is found, on a short sequence.
//!
//! The wrong stores are the model with one lie each, led against the honest one, so no Redis is needed. One that lies about nothing is not found.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::runtime::Runtime;
use watchparty::backend::Backend;
use watchparty::backend::error::BackendError;
use watchparty::backend::log::{
    Announcement, Cut, Dedup, Deliver, Log, Most, Page, Publish, Published, Relay,
};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::seat::Generation;

use crate::EVERYTHING;
use crate::comparison::compare;
use crate::ear::Ear;
use crate::model::Model;
use crate::operation::Fate;
use crate::search::{Found, Search};
use crate::store::{Loss, Store};

/// What a store gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    /// A number that was said before is said again.
    NoDedup,
    /// Any generation writes.
    NoFence,
    /// A duplicate is said to be one further.
    WrongPlace,
    /// One announcement in ten is not made.
    DropsAnnouncements,
    /// A promotion goes unnoticed, and the log on under its epoch.
    NoEpoch,
    /// A crash takes one operation more than Redis' file says.
    LosesMore,
    /// The newest entries come in the wrong order.
    Backwards,
}

/// A model that lies.
struct Liar {
    model: Model,
    lie: Lie,
}

#[async_trait]
impl Store for Liar {
    fn backend(&self) -> Backend {
        let backend = self.model.backend();
        Backend { log: Arc::new(LyingLog { log: backend.log.clone(), lie: self.lie }), ..backend }
    }

    fn ear(&self) -> Arc<Ear> {
        self.model.ear()
    }

    fn mark(&mut self, session: SessionId, first: bool) {
        self.model.mark(session, first);
    }

    async fn tick(&self) {
        self.model.tick().await;
    }

    async fn promote(&mut self, session: SessionId) {
        if self.lie != Lie::NoEpoch {
            self.model.promote(session).await;
        }
    }

    async fn restart(&mut self, session: SessionId) {
        self.model.restart(session).await;
    }

    async fn crash(&mut self, session: SessionId, loss: Loss) -> usize {
        let survived = self.model.crash(session, loss).await;
        if self.lie == Lie::LosesMore && survived > 1 {
            self.model.go_back(session, survived - 1);
            self.model.mark(session, false);
        }
        survived
    }
}

struct LyingLog {
    log: Arc<dyn Log>,
    lie: Lie,
}

#[async_trait]
impl Log for LyingLog {
    async fn publish(&self, session: SessionId, batch: &[Publish]) -> Result<Vec<Published>, BackendError> {
        let mut batch = batch.to_vec();
        for publish in &mut batch {
            match self.lie {
                Lie::NoDedup => publish.dedup = Dedup::None,
                Lie::NoFence => publish.generation = None,
                _ => {}
            }
        }
        let mut answers = self.log.publish(session, &batch).await?;
        if self.lie == Lie::WrongPlace {
            for answer in &mut answers {
                if let Published::Duplicate(at) = answer {
                    at.seq = at.seq.next();
                }
            }
        }
        Ok(answers)
    }

    async fn read_most(
        &self,
        session: SessionId,
        cut: Cut,
        most: Most,
    ) -> Result<Option<Page>, BackendError> {
        let mut page = self.log.read_most(session, cut, most).await?;
        if let (Lie::Backwards, Cut::Before(_), Some(page)) = (self.lie, cut, &mut page) {
            page.entries.reverse();
        }
        Ok(page)
    }

    async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        self.log.subscribe(session).await
    }

    async fn unsubscribe(&self, session: SessionId) {
        self.log.unsubscribe(session).await;
    }

    async fn relay(&self, session: SessionId, relay: Relay) -> Result<bool, BackendError> {
        self.log.relay(session, relay).await
    }
}

/// Hears all but every tenth announcement.
struct HardOfHearing {
    ear: Arc<Ear>,
    announced: AtomicU64,
}

impl Deliver for HardOfHearing {
    fn announced(&self, session: SessionId, announcement: Announcement) {
        if self.announced.fetch_add(1, Ordering::Relaxed) % 10 != 9 {
            self.ear.announced(session, announcement);
        }
    }

    fn relayed(&self, session: SessionId, relay: Relay) {
        self.ear.relayed(session, relay);
    }

    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation) {
        self.ear.replaced(session, participant, newest);
    }

    fn interrupted(&self, session: Option<SessionId>) {
        self.ear.interrupted(session);
    }
}

/// Searches for the lie, from a seed that does not change.
fn search(lie: Lie, fate: Fate, sequences: u32) -> Result<(), Found> {
    let runtime = Runtime::new().unwrap();
    let search = Search { fate, sequences, length: 60 };
    search.run_from(u64::from(sequences), 1, |sequence| {
        // A new one each time: what it dropped last must not depend on what was tried before.
        let model = Model::heard_through(EVERYTHING, |ear| match lie {
            Lie::DropsAnnouncements => Arc::new(HardOfHearing { ear, announced: AtomicU64::new(0) }),
            _ => ear,
        });
        let mut liar = Liar { model, lie };
        let mut honest = Model::new(EVERYTHING);
        runtime.block_on(compare(&mut liar, &mut honest, EVERYTHING, sequence))
    })
}

#[test]
fn a_lie_is_found_and_told_in_few_words() {
    for (lie, fate) in [
        (Lie::NoDedup, Fate::Promoted),
        (Lie::NoFence, Fate::Promoted),
        (Lie::WrongPlace, Fate::Promoted),
        (Lie::DropsAnnouncements, Fate::Promoted),
        (Lie::Backwards, Fate::Promoted),
        (Lie::NoEpoch, Fate::Promoted),
        (Lie::LosesMore, Fate::Killed),
    ] {
        let found = search(lie, fate, 100).err().unwrap_or_else(|| panic!("{lie:?} is not found"));
        let length = found.sequence.operations.len();
        assert!(length <= 15, "{lie:?} takes {length} operations to tell:\n{}", found.report());
        assert!(found.report().contains("DIFFERENTIAL_SEED="), "{}", found.report());
    }
}

#[test]
fn an_honest_store_is_not_found() {
    for fate in [Fate::Promoted, Fate::Killed] {
        if let Err(found) = search(Lie::None, fate, 60) {
            panic!("{}", found.report());
        }
    }
}
