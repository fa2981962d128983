//! One call of a port in numbers, and its answer as a value that can be compared.

use std::time::Duration;

use watchparty::backend::error::BackendError;
use watchparty::backend::limiter::{Decision, Scope};
use watchparty::backend::log::{Cut, Most, Page, Publish, Published, Relay};
use watchparty::backend::membership::{Beat, JoinRefusal, JoinRequest, Joined, Standing};
use watchparty::backend::{Backend, SessionSummary};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::rate::Rate;
use watchparty::model::seat::{Generation, Participant, Seat, Snapshot};
use watchparty::model::session::{NewSession, SessionRecord};

/// A bucket so slow that it does not fill while a test runs.
const RATE: Rate = Rate { count: 1, per: Duration::from_secs(24 * 3600), burst: 6 };

/// A call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Create(NewSession),
    Join(JoinRequest),
    Publish(Vec<Publish>),
    Beat(Vec<Seat>, Duration),
    Leave(Seat),
    Relay(Relay),
    Read(Cut, Most),
    Snapshot(usize),
    Roster(Option<ParticipantId>, usize),
    Standing(ParticipantId),
    Find,
    Password,
    Take(usize, u32),
    Listen,
    Unlisten,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Created(SessionRecord),
    Joined { seat: Seat, snapshot: Snapshot, last_n: u64, resumed: bool },
    NotJoined(JoinRefusal),
    Published(Vec<Published>),
    Beat(Beat),
    Relayed(bool),
    Page(Option<Page>),
    Snapshot(Option<Snapshot>),
    Roster(Vec<Participant>),
    Standing(Option<Standing>),
    Found(Option<SessionSummary>),
    Password(Option<String>),
    Taken(Decision),
    Done,
    Failed(Failure),
}

/// A failure, equal to another of its kind: its words are each adapter's own.
#[derive(Clone, Debug)]
pub(crate) struct Failure(BackendError);

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.0) == std::mem::discriminant(&other.0)
    }
}

impl Call {
    /// The same call with a side's own generations.
    pub(crate) fn with_generations(&self, own: impl Fn(Generation) -> Generation) -> Self {
        let mut call = self.clone();
        match &mut call {
            Self::Publish(batch) => {
                batch.iter_mut().filter_map(|one| one.generation.as_mut()).for_each(|one| *one = own(*one));
            }
            Self::Beat(seats, _) => seats.iter_mut().for_each(|seat| seat.generation = own(seat.generation)),
            Self::Leave(seat) => seat.generation = own(seat.generation),
            _ => {}
        }
        call
    }

    /// Makes the call.
    pub(crate) async fn on(&self, backend: &Backend, session: SessionId) -> Answer {
        self.ask(backend, session).await.unwrap_or_else(|error| Answer::Failed(Failure(error)))
    }

    async fn ask(&self, backend: &Backend, session: SessionId) -> Result<Answer, BackendError> {
        let Backend { sessions, log, membership, .. } = backend;
        Ok(match self {
            Self::Create(new) => Answer::Created(sessions.create(new.clone()).await?),
            Self::Join(request) => joined(membership.join(request.clone()).await?),
            Self::Publish(batch) => Answer::Published(log.publish(session, batch).await?),
            Self::Beat(seats, lease) => Answer::Beat(membership.beat(session, seats, *lease).await?),
            Self::Leave(seat) => {
                membership.leave(*seat).await?;
                Answer::Done
            }
            Self::Relay(relay) => Answer::Relayed(log.relay(session, relay.clone()).await?),
            Self::Read(cut, most) => Answer::Page(log.read_most(session, *cut, *most).await?),
            Self::Snapshot(roster) => Answer::Snapshot(membership.snapshot(session, *roster).await?),
            Self::Roster(after, limit) => Answer::Roster(membership.roster(session, *after, *limit).await?),
            Self::Standing(who) => Answer::Standing(membership.standing(session, *who).await?),
            Self::Find => Answer::Found(sessions.find(session).await?),
            Self::Password => Answer::Password(sessions.password_hash(session).await?),
            Self::Take(bucket, tokens) => {
                let key = format!("{session}/{bucket}");
                Answer::Taken(backend.limiter.take(Scope::Join, &key, RATE, *tokens).await)
            }
            Self::Listen => {
                log.subscribe(session).await?;
                Answer::Done
            }
            Self::Unlisten => {
                log.unsubscribe(session).await;
                Answer::Done
            }
        })
    }
}

fn joined(joined: Result<Joined, JoinRefusal>) -> Answer {
    match joined {
        Ok(Joined { seat, snapshot, last_n, resumed }) => Answer::Joined { seat, snapshot, last_n, resumed },
        Err(refusal) => Answer::NotJoined(refusal),
    }
}
