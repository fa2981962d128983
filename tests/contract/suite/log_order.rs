//! One order, without holes, whoever publishes from wherever.

use std::collections::{BTreeSet, HashMap};

use watchparty::backend::log::{Published, Refusal};
use watchparty::model::entry::{Entry, Seq};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::record::Record;
use watchparty::model::seat::{Generation, Seat};

use crate::harness::{Harness, together};
use crate::party::{Party, ROOMY, accepted, data, event, refused, said};

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.0).collect()
}

pub(crate) async fn a_hundred_publishers_keep_one_order_without_holes(harness: &Harness) {
    const EACH: u64 = 5;
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    for node in [&harness.node, &other] {
        node.backend.log.subscribe(party.id).await.expect("subscribes");
    }
    let publishers = (0..100).map(|at| {
        let party = if at % 2 == 0 { party.clone() } else { party.at(&other.backend) };
        async move {
            let seat = party.guest().await.seat;
            let mut seqs = Vec::new();
            for n in 1..=EACH {
                seqs.push(accepted(&party.say(seat, n).await));
            }
            assert!(seqs.is_sorted(), "an author's numbers are in log order: {seqs:?}");
            (seat.participant, seqs)
        }
    });
    let places: HashMap<ParticipantId, Vec<Seq>> = together(publishers).await.into_iter().collect();
    // A hundred joins, the first of whom became host, and what each said.
    let head = 100 + 1 + 100 * EACH;
    assert_eq!(party.head().await, Seq(head));
    let distinct: BTreeSet<Seq> = places.values().flatten().copied().collect();
    assert_eq!(distinct.len() as u64, 100 * EACH, "every entry has a number of its own");
    for node in [&harness.node, &other] {
        let heard = node.delivered.entries_up_to(party.id, Seq(head)).await;
        assert_eq!(numbers(&heard), (1..=head).collect::<Vec<_>>());
        for (participant, seqs) in &places {
            for (n, seq) in (1..).zip(seqs) {
                let record = &heard[usize::try_from(seq.0).expect("small") - 1].record;
                assert_eq!(*record, said_record(*participant, n));
            }
        }
    }
}

fn said_record(participant: ParticipantId, n: u64) -> Record {
    let seat = Seat { session: SessionId::new_random(), participant, generation: Generation(0) };
    said(seat, n).record
}

pub(crate) async fn a_batch_is_answered_item_by_item(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let (ada, bob) = (party.join(party.host).await.seat, party.guest().await.seat);
    let old = party.guest().await.seat;
    party.join(old.participant).await;
    let batch =
        [said(ada, 1), said(bob, 1), said(ada, 1), said(ada, 3), said(old, 1), said(ada, 2), event("e")];
    let answers = party.batch(&batch).await;
    let [one, two, .., six, seven] = &answers[..] else { panic!("{answers:?}") };
    let seqs: Vec<u64> = [one, two, six, seven].into_iter().map(|answer| accepted(answer).0).collect();
    assert_eq!(seqs, [4, 5, 6, 7], "what is accepted is numbered in batch order");
    let Published::Accepted(first) = one else { panic!("{one:?}") };
    assert_eq!(answers[2], Published::Duplicate(*first), "seen in the same batch");
    assert_eq!(answers[3], refused(Refusal::Gap { last_n: 1 }));
    assert_eq!(answers[4], refused(Refusal::Stale));
    let entries = party.entries().await;
    let records: Vec<_> = entries[3..].iter().map(|entry| &entry.record).collect();
    assert_eq!(records, [&batch[0].record, &batch[1].record, &batch[5].record, &batch[6].record]);
    assert_eq!(party.batch(&[]).await, vec![], "nothing is nothing");
}

pub(crate) async fn batches_of_two_nodes_do_not_mix(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let publishers = ["a", "b"].map(|name| {
        let party = if name == "a" { party.clone() } else { party.at(&other.backend) };
        async move {
            for round in 0..10 {
                let batch: Vec<_> = (0..4).map(|_| event(&format!("{name}{round}"))).collect();
                party.batch(&batch).await;
            }
        }
    });
    together(publishers).await;
    let entries = party.entries().await;
    assert_eq!(numbers(&entries), (1..=80).collect::<Vec<_>>());
    for batch in entries.chunks(4) {
        let bodies: BTreeSet<String> =
            batch.iter().map(|entry| data(&entry.record)["body"].to_string()).collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
    }
}

pub(crate) async fn listeners_and_readers_get_the_same_entries(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.backend.log.subscribe(party.id).await.expect("subscribes");
    let seat = party.join(party.host).await.seat;
    party.batch(&[said(seat, 1), said(seat, 2)]).await;
    party.guest().await;
    party.leave(seat).await;
    let heard = harness.node.delivered.entries_up_to(party.id, Seq(5)).await;
    assert_eq!(heard, party.entries().await, "number, time and bytes");
    assert_eq!(numbers(&heard), [1, 2, 3, 4, 5]);
}
