//! `mixed`: what people do in a watch party, all of it at once: they move the film, chat, send events, type, and set up their calls.
//!
//! The film is its host's, whose messages carry no stamp: of them the log's numbers and the acks tell. Signals and notes are in no log and may be
//! dropped, so they are counted and promised to nobody.

use std::sync::Arc;

use crate::cli::load::Knobs;
use crate::engine::lock;
use crate::engine::pace::Score;
use crate::engine::participant::Participant;
use crate::engine::scene::{Plan, Scene, Stage};
use crate::message::Verb;
use crate::report::figures::{Own, Unit};

use super::Outcome;

/// What everybody but the host says, in turn.
const TALK: &[Verb] = &[
    Verb::Chat,
    Verb::Event,
    Verb::Notify,
    Verb::Event,
    Verb::Signal,
    Verb::Chat,
    Verb::Event,
    Verb::Notify,
];
/// What the host says.
const FILM: &[Verb] =
    &[Verb::Load, Verb::Seek, Verb::Seek, Verb::Seek, Verb::Seek, Verb::Seek, Verb::Seek, Verb::Seek];
/// Of so many messages one is the film's.
const FILM_SHARE: f64 = 0.1;

/// Runs it.
pub(super) async fn play(stage: &Stage, knobs: &Knobs) -> anyhow::Result<Outcome> {
    let speakers = knobs.connections.div_ceil(knobs.sessions);
    anyhow::ensure!(speakers > 1, "mixed needs two people or more in a session");
    let plan = Plan { rooms: knobs.sessions, people: knobs.connections, speakers, spare: 0 };
    let mut scene = Scene::set(stage, knobs, plan).await?;
    introduce(&scene);
    scene.arrive().await;
    let mut talk = scene.score();
    let (hosts, others) = talk.speakers.iter().cloned().partition(|sender| sender.id % speakers == 0);
    let film = Score { speakers: hosts, verbs: FILM, rate: talk.rate * FILM_SHARE, ..talk.clone() };
    talk = Score { speakers: others, verbs: TALK, rate: talk.rate * (1.0 - FILM_SHARE), ..talk };
    scene.perform(vec![talk, film], std::future::ready(())).await;
    scene.drain().await;
    let passing = passing(&scene);
    let mut outcome = Outcome::from(scene.finish());
    outcome.own.extend(passing);
    Ok(outcome)
}

/// Signals of each go to the next in their room.
fn introduce(scene: &Scene) {
    let rooms = scene.rooms.len();
    for (at, who) in scene.people.iter().enumerate() {
        let next = scene.people.get(at + rooms).unwrap_or(&scene.people[at % rooms]);
        if let Some(sender) = &who.sender {
            sender.signals_to(&next.ticket.participant);
        }
    }
}

/// How much was said that is in no log, and how much of it came.
#[expect(clippy::cast_precision_loss, reason = "messages of a run are fewer than 2^52")]
fn passing(scene: &Scene) -> Vec<Own> {
    let came: u64 = scene.people.iter().map(|who| lock(&who.received).passing).sum();
    let listeners = |who: &Arc<Participant>| {
        scene.people.iter().filter(|other| Arc::ptr_eq(&other.room, &who.room)).count()
    };
    let expected: u64 = scene
        .people
        .iter()
        .filter_map(|who| Some((who, who.sender.as_ref()?.sums())))
        .map(|(who, sums)| sums.signals + (sums.passing - sums.signals) * listeners(who) as u64)
        .sum();
    let mut own = vec![Own {
        name: "passing.expected".to_owned(),
        what: "deliveries of signals and notes, which are in no log, if none is dropped".to_owned(),
        value: expected as f64,
        unit: Unit::Count,
    }];
    own.push(Own {
        name: "passing.delivered".to_owned(),
        what: "how many of them came".to_owned(),
        value: came as f64,
        unit: Unit::Count,
    });
    if let Some(p99) = scene.watch.book().times.passing.at(0.99) {
        own.push(Own {
            name: "passing.p99".to_owned(),
            what: "from when they were meant to leave to each receiver, at p99".to_owned(),
            value: p99 as f64,
            unit: Unit::Micros,
        });
    }
    own
}
