//! Once: the same number or key is one entry, on any node.

use watchparty::backend::log::{Dedup, IdempotencyKey, Published, Refusal};
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;

use crate::harness::{Harness, together};
use crate::party::{Party, ROOMY, accepted, event, refused, said};

fn duplicate_of(published: &Published) -> Seq {
    let Published::Duplicate(position) = published else { panic!("no duplicate: {published:?}") };
    position.seq
}

pub(crate) async fn a_number_makes_one_entry_on_any_node(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let seat = party.join(party.host).await.seat;
    let first = party.say(seat, 1).await;
    let Published::Accepted(position) = first else { panic!("{first:?}") };
    assert_eq!(party.at(&other.backend).say(seat, 1).await, Published::Duplicate(position));
    assert_eq!(party.say(seat, 1).await, Published::Duplicate(position));
    assert_eq!(party.head().await, position.seq);
}

pub(crate) async fn a_number_sent_at_once_from_many_sides_makes_one_entry(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let seat = party.join(party.host).await.seat;
    let senders = (0..20).map(|at| {
        let party = if at % 2 == 0 { party.clone() } else { party.at(&other.backend) };
        async move { party.say(seat, 1).await }
    });
    let mut accepted = 0;
    for answer in together(senders).await {
        match answer {
            Published::Accepted(position) | Published::Duplicate(position) if position.seq != Seq(2) => {
                panic!("{position:?}")
            }
            Published::Accepted(_) => accepted += 1,
            Published::Duplicate(_) => {}
            Published::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
    assert_eq!((accepted, party.head().await), (1, Seq(2)));
}

pub(crate) async fn an_older_number_gives_its_true_place(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let mut places = vec![Seq::ZERO];
    for n in 1..=80 {
        // Others speak in between, so that a place cannot be guessed from the number.
        party.fill(usize::try_from(n % 3).expect("small")).await;
        places.push(accepted(&party.say(seat, n).await));
    }
    for n in 49..=80 {
        let place = places[usize::try_from(n).expect("small")];
        assert_eq!(duplicate_of(&party.say(seat, n).await), place, "number {n}, of the newest 32");
    }
    for n in [1, 20, 48] {
        let oldest = duplicate_of(&party.say(seat, n).await);
        assert!(places.contains(&oldest) && oldest <= places[49], "number {n}: a place of the author's");
    }
}

pub(crate) async fn numbers_go_on_after_the_seat_was_left(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let joined = party.join(party.host).await;
    assert_eq!(joined.last_n, 0);
    for n in 1..=3 {
        accepted(&party.say(joined.seat, n).await);
    }
    assert_eq!(party.join(party.host).await.last_n, 3, "taken over");
    let seat = party.join(party.host).await.seat;
    party.leave(seat).await;
    let back = party.join(party.host).await;
    assert_eq!((back.last_n, back.resumed), (3, false), "left and back");
    duplicate_of(&party.say(back.seat, 3).await);
    accepted(&party.say(back.seat, 4).await);
}

pub(crate) async fn a_gap_names_the_last_number_and_takes_nothing(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    assert_eq!(party.say(seat, 2).await, refused(Refusal::Gap { last_n: 0 }));
    accepted(&party.say(seat, 1).await);
    assert_eq!(party.say(seat, 3).await, refused(Refusal::Gap { last_n: 1 }));
    assert_eq!(party.say(seat, 0).await, refused(Refusal::Gap { last_n: 1 }), "no count has a 0");
    assert_eq!(party.head().await, Seq(2));
    accepted(&party.say(seat, 2).await);
}

pub(crate) async fn authors_count_apart(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let (ada, bob) = (party.join(party.host).await.seat, party.guest().await.seat);
    let answers = party.batch(&[said(ada, 1), said(bob, 1), said(ada, 2), said(bob, 2)]).await;
    let seqs: Vec<Seq> = answers.iter().map(accepted).collect();
    assert_eq!(seqs, [Seq(3), Seq(4), Seq(5), Seq(6)]);
    assert_eq!(party.guest().await.last_n, 0);
}

pub(crate) async fn a_key_makes_one_entry_on_any_node(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let author = Some(ParticipantId::new_random());
    let with_key = |byte| {
        let mut publish = event("keyed");
        (publish.author, publish.dedup) = (author, Dedup::Key(IdempotencyKey([byte; 16])));
        publish
    };
    let first = accepted(&party.publish(with_key(1)).await);
    assert_eq!(duplicate_of(&party.at(&other.backend).publish(with_key(1)).await), first);
    let second = accepted(&party.publish(with_key(2)).await);
    let answers = party.batch(&[with_key(1), with_key(3), with_key(3), with_key(2)]).await;
    let third = accepted(&answers[1]);
    assert_eq!([&answers[0], &answers[2], &answers[3]].map(duplicate_of), [first, third, second]);
    assert_eq!(party.head().await, third);
    let elsewhere = Party::new(harness, ROOMY).await;
    accepted(&elsewhere.publish(with_key(1)).await);
}

pub(crate) async fn without_a_number_twice_is_two(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    assert_eq!(accepted(&party.publish(event("same")).await), Seq(1));
    assert_eq!(accepted(&party.publish(event("same")).await), Seq(2));
}
