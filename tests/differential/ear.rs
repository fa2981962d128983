//! What one side delivered upwards, in order.

use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::watch;
use watchparty::backend::log::{Announcement, Deliver, Relay};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::seat::Generation;

use crate::support::wait::soon;

/// How the frame begins that is relayed only to be waited for.
const MARK: &str = r#"{"type":"notify","mark":"#;

/// One delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Announced(Announcement),
    Relayed(Relay),
    Replaced(ParticipantId, Generation),
    /// The session's announcements may have been missed.
    Interrupted,
}

/// Hears one session. That *all* rooms were interrupted is left out: it tells of a link, which the model has none of.
pub(crate) struct Ear {
    heard: Mutex<Vec<(SessionId, Heard)>>,
    marked: watch::Sender<Option<(SessionId, u64)>>,
}

impl Default for Ear {
    fn default() -> Self {
        Self { heard: Mutex::default(), marked: watch::Sender::new(None) }
    }
}

/// A frame that marks a place among the announcements, as numbers rise.
pub(crate) fn mark(number: u64) -> Relay {
    Relay { to: None, frame: Bytes::from(format!("{MARK}{number}}}")) }
}

impl Ear {
    /// Waits until the mark with this number, the newest of its session, has been heard.
    pub(crate) async fn reached(&self, session: SessionId, number: u64) {
        let mut marked = self.marked.subscribe();
        let reached =
            soon("an announcement", marked.wait_for(|newest| *newest == Some((session, number)))).await;
        reached.expect("the ear is here");
    }

    /// What was heard of a session since the last time.
    pub(crate) fn take(&self, session: SessionId) -> Vec<Heard> {
        let mut heard = self.heard.lock().expect("nobody panics while listening");
        let heard = std::mem::take(&mut *heard).into_iter();
        heard.filter(|(of, _)| *of == session).map(|(_, heard)| heard).collect()
    }

    fn note(&self, session: SessionId, heard: Heard) {
        self.heard.lock().expect("nobody panics while listening").push((session, heard));
    }
}

impl Deliver for Ear {
    fn announced(&self, session: SessionId, announcement: Announcement) {
        self.note(session, Heard::Announced(announcement));
    }

    fn relayed(&self, session: SessionId, relay: Relay) {
        let text = std::str::from_utf8(&relay.frame).unwrap_or_default();
        match text.strip_prefix(MARK).and_then(|rest| rest.strip_suffix('}')) {
            Some(number) => {
                self.marked.send_replace(Some((session, number.parse().expect("a number"))));
            }
            None => self.note(session, Heard::Relayed(relay)),
        }
    }

    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation) {
        self.note(session, Heard::Replaced(participant, newest));
    }

    fn interrupted(&self, session: Option<SessionId>) {
        if let Some(session) = session {
            self.note(session, Heard::Interrupted);
        }
    }
}
