//! What a participant can do to a session besides speaking: the durable verbs, as asked for, before anyone decided on them.

use std::time::Duration;

use super::id::ParticipantId;
use super::participant::{Color, DisplayName};
use super::password::Password;
use super::session::{Control, SessionName};

/// A durable verb. All but `Profile` are the host's.
#[derive(Debug, Clone)]
pub enum Verb {
    /// Change the session.
    Update(SessionChange),
    /// Give the crown away.
    Transfer(ParticipantId),
    /// Take a seat away.
    Kick {
        /// Whose.
        participant: ParticipantId,
        /// For how long they cannot come back; unset: as long as a token of theirs can live.
        ban: Option<Duration>,
    },
    /// End the session.
    End,
    /// Change how one looks.
    Profile {
        /// A new name.
        name: Option<DisplayName>,
        /// A new colour.
        color: Option<Color>,
    },
}

impl Verb {
    /// Whether only the host may do it.
    #[must_use]
    pub fn needs_host(&self) -> bool {
        !matches!(self, Self::Profile { .. })
    }
}

/// A change of the session as a client words it: what is `None` stays, and the password is not hashed yet.
#[derive(Debug, Clone, Default)]
pub struct SessionChange {
    /// A new name.
    pub name: Option<SessionName>,
    /// A new password.
    pub password: Option<Password>,
    /// Lock or unlock.
    pub locked: Option<bool>,
    /// Another number of seats.
    pub max_participants: Option<u32>,
    /// Another rule for the film.
    pub control: Option<Control>,
}
