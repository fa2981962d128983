//! Sessions as people use them: create, join, look up, and who may ask.

use crate::model::id::{ParticipantId, SessionId};
use crate::model::participant::DisplayName;
use crate::model::password::Password;
use crate::model::session::{SessionName, SessionRecord};

/// What a creator asks for.
#[derive(Debug)]
pub struct CreateRequest {
    /// Its name.
    pub name: SessionName,
    /// Its password.
    pub password: Password,
    /// Seats; unset: [`CAPACITY_DEFAULT`](crate::model::session::CAPACITY_DEFAULT).
    pub max_participants: Option<u32>,
    /// What to call the creator.
    pub display_name: Option<DisplayName>,
}

/// What someone with a link and a password asks for.
#[derive(Debug)]
pub struct AdmissionRequest {
    /// Which session.
    pub session: SessionId,
    /// Its password, as they know it.
    pub password: Password,
    /// What to call them.
    pub display_name: Option<DisplayName>,
}

/// Someone may take part: who they are, and the token that says so.
#[derive(Debug)]
pub struct Admission {
    /// The session.
    pub record: SessionRecord,
    /// Who they are in it.
    pub participant: ParticipantId,
    /// Their token.
    pub token: String,
}
