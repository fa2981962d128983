//! The row that remembers where an author's numbers are: cut and packed by the script, so every size of batch is tried against a plain list.

use std::collections::HashMap;

use watchparty::backend::log::{Publish, Published};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::seat::Seat;

use crate::world::{LEASE, Node, World, numbered};

/// Numbers whose place is remembered.
const PLACES: usize = 32;

/// What the log should know: each author's entries, in the order of their numbers.
#[derive(Default)]
struct Said(HashMap<ParticipantId, Vec<u64>>);

impl Said {
    fn count(&self, seat: Seat) -> u64 {
        self.0.get(&seat.participant).map_or(0, |places| places.len() as u64)
    }

    /// The next `count` items of an author, not yet said.
    fn next(&self, seat: Seat, count: u64) -> Vec<Publish> {
        (1..=count).map(|n| numbered(seat, self.count(seat) + n)).collect()
    }

    async fn publish(&mut self, node: &Node, session: SessionId, batch: &[Publish]) {
        let answers = node.log().publish(session, batch).await.unwrap();
        for (publish, answer) in batch.iter().zip(answers) {
            let Published::Accepted(at) = answer else { panic!("not accepted: {answer:?}") };
            self.0.entry(publish.author.unwrap()).or_default().push(at.seq.0);
        }
    }

    /// Says everything that is remembered once more.
    async fn check(&self, node: &Node, session: SessionId, seat: Seat) {
        let places = &self.0[&seat.participant];
        let oldest = places.len().saturating_sub(PLACES);
        let again: Vec<Publish> = (1..=places.len() as u64).map(|n| numbered(seat, n)).collect();
        for (at, answer) in node.log().publish(session, &again).await.unwrap().into_iter().enumerate() {
            let Published::Duplicate(position) = answer else { panic!("{}: {answer:?}", at + 1) };
            assert_eq!(position.seq.0, places[at.max(oldest)], "number {} of {}", at + 1, places.len());
        }
    }
}

#[tokio::test]
async fn every_size_of_batch_leaves_true_places() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let one = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let other = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let mut said = Said::default();
    for count in [1, 30, 1, 1, 1, 5, 31, 32, 33, 1, 62, 63, 64, 65, 2, 100, 31, 1] {
        // Alternating, so that the places have distances; the last ones of the longer half stand together.
        let (ours, theirs) = (said.next(one, count), said.next(other, count / 2));
        let pairs = ours.chunks(2).zip(theirs.chunks(1).map(Some).chain(std::iter::repeat(None)));
        let batch: Vec<Publish> =
            pairs.flat_map(|(two, then)| two.iter().chain(then.into_iter().flatten()).cloned()).collect();
        said.publish(&node, session, &batch).await;
        said.check(&node, session, one).await;
    }
    said.check(&node, session, other).await;
    let row = world.redis.cli(&["HGET", &format!("wp:{{{session}}}:d"), &one.participant.to_string()]).await;
    // The last number and place, and the distances of at most 63 before it.
    assert!(row.split(' ').count() <= 2 * PLACES + 1, "{row}");
}

#[tokio::test]
async fn a_number_said_twice_in_one_batch_is_one_entry() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let seat = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let mut said = Said::default();
    let before = said.next(seat, 3);
    said.publish(&node, session, &before).await;
    // The join and its host change are 1 and 2.
    let batch = [1, 4, 4, 5, 3, 4].map(|n| numbered(seat, n));
    let answers = node.log().publish(session, &batch).await.unwrap();
    let told = answers.into_iter().map(|answer| match answer {
        Published::Accepted(at) => (true, at.seq.0),
        Published::Duplicate(at) => (false, at.seq.0),
        Published::Refused(why) => panic!("{why:?}"),
    });
    let told: Vec<(bool, u64)> = told.collect();
    assert_eq!(told, [(false, 3), (true, 6), (false, 6), (true, 7), (false, 5), (false, 6)]);
}
