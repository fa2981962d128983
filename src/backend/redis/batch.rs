//! A batch of publishes, as `lua/publish.lua` and `lua/effect.lua` take it, and their answer.

use redis::Value;

use super::Shared;
use super::keys;
use super::reply::{Reply, unreadable};
use super::rows;
use super::scripts::{self, Call};
use crate::backend::error::BackendError;
use crate::backend::log::{Dedup, Effect, Publish, Published, Refusal};
use crate::model::entry::{Position, Seq};
use crate::model::id::SessionId;
use crate::model::session::SessionPatch;
use crate::model::time::millis;
use std::time::Duration;

/// Items in one call: Lua can pass on some 8000 values at once, and a call should not hold Redis for more than some milliseconds.
const BATCH_MAX: usize = 1000;
/// How long the log of an ended session can still be read, so that a room that is behind learns of its `session.ended`.
const ENDED_READABLE: Duration = Duration::from_secs(60);
/// Who counts when nobody is the author: never an id.
const NOBODY: &str = "-";

/// The call for a batch. What follows an effect is left out: [`read`] answers it.
pub(super) fn call(shared: &Shared, session: SessionId, batch: &[Publish]) -> Result<Call, BackendError> {
    if batch.len() > BATCH_MAX {
        return Err(BackendError::Unavailable(format!("a batch has at most {BATCH_MAX} items")));
    }
    let batch = within(batch);
    let effect = batch.last().and_then(|publish| publish.effect.as_ref());
    let script = if effect.is_some() { &scripts::ACT } else { &scripts::PUBLISH };

    let mut authors: Vec<String> = Vec::new();
    let mut items = Vec::with_capacity(batch.len());
    for publish in batch {
        let again = match &publish.dedup {
            Dedup::None => String::new(),
            Dedup::Number(n) => format!("n{n}"),
            Dedup::Key(key) => keys::idempotency(key),
        };
        items.push((author(publish, &mut authors), again, publish));
    }
    let mut call = shared.write(script, session).arg(authors.len()).arg(items.len()).arg(&authors);
    for (author, again, publish) in items {
        call.push(author);
        call.push(publish.generation.map(|generation| generation.0.to_string()).unwrap_or_default());
        call.push(again);
        call.push(publish.if_version.map(|version| version.to_string()).unwrap_or_default());
        call.push(&publish.record.stored()[..]);
    }
    if let Some(effect) = effect {
        push_effect(&mut call, effect);
    }
    Ok(call)
}

/// The batch up to its effect: what comes after was decided on the state before it.
fn within(batch: &[Publish]) -> &[Publish] {
    let end = batch.iter().position(|publish| publish.effect.is_some()).map_or(batch.len(), |at| at + 1);
    &batch[..end]
}

/// The author's index from 1, or 0 when it does not matter who it is.
fn author(publish: &Publish, authors: &mut Vec<String>) -> usize {
    let name = match publish.author {
        Some(author) => author.to_string(),
        None if matches!(publish.dedup, Dedup::Number(_)) => NOBODY.to_owned(),
        None => return 0,
    };
    let at = authors.iter().position(|known| *known == name).unwrap_or_else(|| {
        authors.push(name);
        authors.len() - 1
    });
    at + 1
}

fn push_effect(call: &mut Call, effect: &Effect) {
    match effect {
        Effect::Slot(slot) => {
            call.push("slot");
            call.push(&slot.name);
            call.push(slot.version);
            call.push(&slot.value);
        }
        Effect::SlotIs { name, version } => {
            call.push("slot_is");
            call.push(name);
            call.push(*version);
        }
        Effect::Patch(patch) => push_patch(call, patch),
        Effect::Transfer(participant) => {
            call.push("transfer");
            call.push(participant.to_string());
        }
        Effect::Kick { participant, ban } => {
            call.push("kick");
            call.push(participant.to_string());
            call.push(millis(*ban));
        }
        Effect::Profile(profile) => {
            call.push("profile");
            call.push(profile.to_json());
        }
        Effect::End => {
            call.push("end");
            call.push(millis(ENDED_READABLE));
        }
    }
}

fn push_patch(call: &mut Call, patch: &SessionPatch) {
    let SessionPatch { name, password_hash, locked, capacity, control } = patch;
    call.push("patch");
    call.push(password_hash.as_deref().unwrap_or_default());
    let fields = [
        ("name", name.as_ref().map(|name| name.as_str().to_owned())),
        ("locked", locked.map(|locked| rows::flag(locked).to_owned())),
        ("cap", capacity.map(|capacity| capacity.to_string())),
        ("control", control.map(|control| control.as_str().to_owned())),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            call.push(field);
            call.push(value);
        }
    }
}

/// The answer to a batch of `asked` items.
pub(super) fn read(answer: Value, asked: usize) -> Result<Vec<Published>, BackendError> {
    let mut reply = Reply::array(answer)?;
    if reply.left() == 0 {
        return Ok(vec![Published::Refused(Refusal::NoSession); asked]);
    }
    let epoch = rows::epoch(&reply.next_text()?)?;
    let mut answers = Vec::with_capacity(asked);
    while reply.left() > 0 {
        let (code, value) = (reply.next_number()?, reply.next_number()?);
        let position = Position { epoch, seq: Seq(value) };
        // The codes of `lua/publish.lua`.
        answers.push(match code {
            1 => Published::Accepted(position),
            2 => Published::Duplicate(position),
            4 => Published::Refused(Refusal::Stale),
            5 => Published::Refused(Refusal::Gap { last_n: value }),
            6 => Published::Refused(Refusal::Conflict),
            7 => Published::Refused(Refusal::NoSuchParticipant),
            8 => Published::Refused(Refusal::Banned),
            _ => return Err(unreadable("the answer to a publish")),
        });
    }
    if answers.len() > asked {
        return Err(unreadable("more answers than publishes"));
    }
    answers.resize(asked, Published::Refused(Refusal::Conflict));
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::Epoch;

    #[test]
    fn answers_are_read_in_order_and_what_follows_an_effect_is_a_conflict() {
        let epoch = Epoch::new_random();
        let numbers = [1, 7, 2, 3, 5, 9].map(Value::Int);
        let mut row = vec![Value::BulkString(epoch.to_string().into_bytes())];
        row.extend(numbers);
        let read = read(Value::Array(row), 4).unwrap();
        let at = |seq| Position { epoch, seq: Seq(seq) };
        assert_eq!(
            read,
            [
                Published::Accepted(at(7)),
                Published::Duplicate(at(3)),
                Published::Refused(Refusal::Gap { last_n: 9 }),
                Published::Refused(Refusal::Conflict),
            ]
        );
    }

    #[test]
    fn no_session_answers_every_item() {
        let none = read(Value::Array(Vec::new()), 2).unwrap();
        assert_eq!(none, vec![Published::Refused(Refusal::NoSession); 2]);
        assert!(read(Value::Nil, 1).is_err());
    }
}
