//! What is left when a sequence is over, compared: record, slots, seats, every entry, and what each number and key ever used is told.

use watchparty::backend::log::{Cut, Dedup, IdempotencyKey, Publish};
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;
use watchparty::model::record::{EntryKind, Record};

use crate::call::{Answer, Call};
use crate::cast::Who;
use crate::comparison::{Comparison, Outcome};
use crate::operation::KEYS;

/// More than anything there is.
const ALL: usize = 1000;

impl Comparison<'_> {
    pub(crate) async fn look_at_everything(&mut self) -> Outcome {
        for call in [Call::Snapshot(ALL), Call::Roster(None, ALL), Call::Find, Call::Password] {
            self.both(&call).await?;
        }
        for who in Who::all() {
            self.both(&Call::Standing(who.id())).await?;
        }
        self.every_entry().await?;
        self.times_agree()?;
        for (author, last) in self.clients.counts() {
            self.every_number(author, last).await?;
        }
        self.every_key().await?;
        // Numbers and keys that were not used before are now.
        self.every_entry().await
    }

    /// Page by page, as large entries fill one.
    async fn every_entry(&mut self) -> Outcome {
        let mut after = Seq::ZERO;
        loop {
            let answer = self.both(&Call::Read(Cut::After(after), ALL.into())).await?;
            let Answer::Page(Some(page)) = answer else { return Ok(()) };
            // The oldest entry that must be there may be further on.
            let next = page.entries.last().map_or(page.history.first, |last| last.seq);
            if next <= after || next > page.history.head {
                return Ok(());
            }
            after = next;
        }
    }

    /// From beyond the last number down to 0, over HTTP, where no seat is needed.
    async fn every_number(&mut self, author: Option<Who>, last: u64) -> Outcome {
        let author = author.map(Who::id);
        let batch = (0..=last + 2).rev().map(|n| publish(author, Dedup::Number(n))).collect();
        self.both(&Call::Publish(batch)).await.map(drop)
    }

    async fn every_key(&mut self) -> Outcome {
        let keys = (0..=KEYS).map(|key| publish(None, Dedup::Key(IdempotencyKey([key; 16]))));
        self.both(&Call::Publish(keys.collect())).await.map(drop)
    }
}

fn publish(author: Option<ParticipantId>, dedup: Dedup) -> Publish {
    let record = Record::new(EntryKind::Event, author, None, r#"{"asked":true}"#);
    Publish { author, generation: None, dedup, record, if_version: None, effect: None }
}
