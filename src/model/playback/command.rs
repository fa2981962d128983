//! What a participant may ask of the film, and what the state becomes: the table of `docs/PROTOCOL.md`, "Playback".
//!
//! No command toggles, so none needs a precondition: the last one in log order wins. Who may ask is not decided here.

use std::time::Duration;

use super::media::{Media, MediaMs, RateMilli};
use super::{Phase, Playback, Reason, Waiting};
use crate::model::id::ParticipantId;
use crate::model::time::{ClockName, ClusterMs};

/// How long a film waits for its viewers after a seek: time to load, not time to leave.
pub const WAIT: Duration = Duration::from_secs(3);
/// However often it is moved meanwhile, no wait is longer.
pub const WAIT_MOST: Duration = Duration::from_secs(10);
/// How long a wait lasts before somebody may force its end, and before most are enough.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// The farthest a playing film is moved without a wait, in its own milliseconds: players have that much loaded.
const HOP_MS: u64 = 2000;
/// How far back a pause may be dated: what a bad connection takes to tell of it.
const PAUSE_BACK: Duration = Duration::from_millis(500);
/// How far from where the film should be the actor's frame may be, to be everybody's.
const FRAME_MS: u64 = 1000;

/// A wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another film.
    Load {
        /// Which.
        media: Media,
        /// Where it begins.
        position: MediaMs,
    },
    /// Run; with a position, from there.
    Play {
        /// From where.
        position: Option<MediaMs>,
    },
    /// Stand.
    Pause {
        /// The frame the actor sees.
        position: Option<MediaMs>,
        /// When they stopped.
        at: Option<ClusterMs>,
    },
    /// Be elsewhere.
    Seek {
        /// Where.
        position: MediaMs,
    },
    /// Run at another speed.
    Rate(RateMilli),
}

/// When a command is decided.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The cluster's time.
    pub now: ClusterMs,
    /// The clock that says so. A state that is decided on is told by it first ([`Playback::told_by`]).
    pub clock: Option<ClockName>,
    /// How far ahead a change is dated, so that it has reached everybody by then.
    pub lead: Duration,
}

impl Moment {
    /// When a dated change comes into force.
    pub(super) fn ahead(self) -> ClusterMs {
        self.now.plus(self.lead)
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next state.
    Changed(Playback),
    /// It is as wished already.
    Unchanged,
    /// It cannot be.
    Refused(Refusal),
}

/// Why a command cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The session is idle; the client is told `conflict`.
    #[error("no film is loaded")]
    NoFilm,
}

/// Decides a command on a state (`None`: idle).
#[must_use]
pub fn apply(film: Option<&Playback>, command: &Command, who: ParticipantId, at: Moment) -> Outcome {
    let turn = Turn { who, at, version: film.map_or(1, |film| film.version + 1) };
    let after = match (command, film) {
        (Command::Load { media, position }, film) => Some(turn.load(film, media, *position)),
        (_, None) => return Outcome::Refused(Refusal::NoFilm),
        (Command::Play { position }, Some(film)) => turn.play(film, *position),
        (Command::Pause { position, at }, Some(film)) => turn.pause(film, *position, *at),
        (Command::Seek { position }, Some(film)) => Some(turn.seek(film, *position)),
        (Command::Rate(rate), Some(film)) => turn.rate(film, *rate),
    };
    after.map_or(Outcome::Unchanged, |after| Outcome::Changed(Playback { clock: at.clock, ..after }))
}

/// One decision: who asked, when, and the version it makes.
struct Turn {
    who: ParticipantId,
    at: Moment,
    version: u64,
}

impl Turn {
    fn load(&self, film: Option<&Playback>, media: &Media, position: MediaMs) -> Playback {
        let phase = match film.map(|film| film.phase) {
            None | Some(Phase::Paused) => Phase::Paused,
            Some(Phase::Playing) => self.wait(self.at.now),
            Some(Phase::Waiting(waiting)) => self.wait(waiting.since_ms),
        };
        Playback {
            version: self.version,
            phase,
            position: media.within(position),
            media: media.clone(),
            anchor: self.at.now,
            rate: RateMilli::NORMAL,
            effective_at: self.at.now,
            actor: self.who,
            reason: Reason::Load,
            clock: self.at.clock,
        }
    }

    /// With a position, or at the end, a seek and then a play; in one step, because it was one wish.
    fn play(&self, film: &Playback, position: Option<MediaMs>) -> Option<Playback> {
        let ended = film.media.duration_ms.is_some_and(|end| film.position_at(self.at.now) >= end);
        match position.or(ended.then_some(MediaMs::ZERO)) {
            None => self.resume(film),
            Some(position) => {
                let sought = self.seek(film, position);
                Some(self.resume(&sought).unwrap_or(sought))
            }
        }
    }

    fn resume(&self, film: &Playback) -> Option<Playback> {
        let (now, ahead) = (self.at.now, self.at.ahead());
        let started = |reason| Playback {
            version: self.version,
            phase: Phase::Playing,
            anchor: ahead,
            effective_at: ahead,
            actor: self.who,
            reason,
            ..film.clone()
        };
        match film.phase {
            Phase::Playing => None,
            // Where nobody has been yet, players have nothing loaded. Who put it there is still to be seen.
            Phase::Paused if matches!(film.reason, Reason::Load | Reason::Seek) => Some(Playback {
                version: self.version,
                phase: self.wait(now),
                anchor: now,
                effective_at: now,
                ..film.clone()
            }),
            Phase::Paused => Some(started(Reason::Play)),
            Phase::Waiting(waiting) => {
                (now.since(waiting.since_ms) >= PATIENCE).then(|| started(Reason::Forced))
            }
        }
    }

    fn pause(&self, film: &Playback, shown: Option<MediaMs>, at: Option<ClusterMs>) -> Option<Playback> {
        let now = self.at.now;
        let stopped = Playback {
            version: self.version,
            phase: Phase::Paused,
            effective_at: now,
            anchor: now,
            ..film.clone()
        };
        match film.phase {
            Phase::Paused => None,
            // It stands already: a later `play` waits for its viewers as this one did.
            Phase::Waiting(_) => Some(stopped),
            Phase::Playing => {
                let earliest = ClusterMs(now.0.saturating_sub(crate::model::time::millis(PAUSE_BACK)));
                let when = at.unwrap_or(now).clamp(earliest, now);
                let there = film.position_at(when);
                let frame = shown.filter(|shown| shown.distance(there) <= FRAME_MS).unwrap_or(there);
                Some(Playback {
                    position: film.media.within(frame),
                    anchor: when,
                    actor: self.who,
                    reason: Reason::Pause,
                    ..stopped
                })
            }
        }
    }

    fn seek(&self, film: &Playback, position: MediaMs) -> Playback {
        let position = film.media.within(position);
        let (phase, when) = match film.phase {
            Phase::Paused => (Phase::Paused, self.at.now),
            Phase::Playing if position.distance(film.position_at(self.at.now)) <= HOP_MS => {
                (Phase::Playing, self.at.ahead())
            }
            Phase::Playing => (self.wait(self.at.now), self.at.now),
            Phase::Waiting(waiting) => (self.wait(waiting.since_ms), self.at.now),
        };
        Playback {
            version: self.version,
            phase,
            position,
            anchor: when,
            effective_at: when,
            actor: self.who,
            reason: Reason::Seek,
            ..film.clone()
        }
    }

    fn rate(&self, film: &Playback, rate: RateMilli) -> Option<Playback> {
        if film.rate == rate {
            return None;
        }
        let other = Playback { version: self.version, rate, ..film.clone() };
        Some(match film.phase {
            Phase::Paused | Phase::Waiting(_) => other,
            Phase::Playing => {
                // A start that is yet to come is not brought forward.
                let when = self.at.ahead().max(film.anchor);
                Playback {
                    position: film.position_at(when),
                    anchor: when,
                    effective_at: when,
                    actor: self.who,
                    reason: Reason::Rate,
                    ..other
                }
            }
        })
    }

    /// A wait that began at `since`: each further move gives it three seconds more, up to its bound.
    fn wait(&self, since: ClusterMs) -> Phase {
        let deadline_ms = self.at.now.plus(WAIT).min(since.plus(WAIT_MOST));
        Phase::Waiting(Waiting { version: self.version, since_ms: since, deadline_ms })
    }
}
