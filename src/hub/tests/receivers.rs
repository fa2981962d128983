//! A message for one participant: it reaches their listeners, whichever shard serves them, and costs a look at nobody else's.

use super::*;
use crate::hub::listeners::Turn;
use crate::hub::spread::{PART, Spread, Word};

/// Several parts, on three shards.
const MANY: u64 = 1000;

fn signal(to: ParticipantId, text: &str) -> Relay {
    let frame = format!(r#"{{"type":"signal","data":"{text}"}}"#);
    Relay { to: Some(to), frame: Bytes::from(frame) }
}

/// Who was given something that holds this text, and how often.
fn heard(scene: &mut Scene, text: &str) -> Vec<(usize, usize)> {
    let mut heard = Vec::new();
    for (number, read) in scene.readers.iter_mut().enumerate() {
        let bytes: Vec<u8> = std::iter::from_fn(|| read.try_recv().ok()).flatten().collect();
        match String::from_utf8(bytes).unwrap().matches(text).count() {
            0 => {}
            times => heard.push((number, times)),
        }
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_its_receivers_listeners_wherever_they_are_and_nobody_else() {
    let mut scene = Scene::set_on(3, 0).await;
    scene.run();
    let at = Position { epoch: scene.epoch, seq: Seq::ZERO };
    let people: Vec<_> = (0..MANY).map(|_| ParticipantId::new_random()).collect();
    for (number, who) in (0..).zip(&people) {
        scene.seat(ConnectionId(number), *who, at).await;
    }
    let last = people.len() - 1;
    for number in [0, PART, PART + 1, 2 * PART + 7, last] {
        scene.hub.relayed(scene.session, signal(people[number], "one"));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(heard(&mut scene, "one"), [(number, 1)]);
    }
    // A second connection of the same participant, one that went, and one of somebody who was not there before.
    scene.seat(ConnectionId(MANY), people[PART], at).await;
    scene.hub.detach(scene.session, ConnectionId(last as u64)).await;
    let newcomer = ParticipantId::new_random();
    scene.seat(ConnectionId(MANY + 1), newcomer, at).await;
    for who in [people[PART], people[last], newcomer] {
        scene.hub.relayed(scene.session, signal(who, "two"));
    }
    let everybody = Relay { to: None, frame: Bytes::from_static(br#"{"type":"notify","data":"all"}"#) };
    scene.hub.relayed(scene.session, everybody);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (mut two, mut all) = (Vec::new(), 0);
    for (number, read) in scene.readers.iter_mut().enumerate() {
        let bytes: Vec<u8> = std::iter::from_fn(|| read.try_recv().ok()).flatten().collect();
        let text = String::from_utf8(bytes).unwrap();
        two.extend(text.contains("two").then_some(number));
        all += usize::from(text.contains("all"));
        if let (Some(two), Some(all)) = (text.find("two"), text.find("all")) {
            assert!(two < all, "in the order in which they came: {text}");
        }
    }
    assert_eq!((two, all), (vec![PART, MANY as usize, MANY as usize + 1], MANY as usize + 1));
}

#[tokio::test]
async fn a_signal_in_a_room_of_a_thousand_looks_at_its_receiver_alone() {
    let (others, mut words): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel(2 * MANY as usize)).unzip();
    let clock = Arc::new(ClusterClock::new());
    let commons = Commons { metrics: quiet_metrics(), clock, origin: Origin::Remote };
    let terms = Terms {
        frames: 8,
        bytes: 1 << 20,
        bytes_total: 1 << 30,
        held: AtomicUsize::new(0),
        metrics: commons.metrics.clone(),
    };
    let (terms, session) = (Arc::new(terms), SessionId::new_random());
    let (mut spread, mut people, mut readers) = (Spread::new(session), Vec::new(), Vec::new());
    let at = Position { epoch: Epoch::new_random(), seq: Seq::ZERO };
    for number in 0..MANY {
        let (body, read) = mpsc::channel(4);
        let outbox = Outbox::new(ConnectionId(number), Sink::Stream(body), terms.clone());
        let seat = Seat { session, participant: ParticipantId::new_random(), generation: Generation(1) };
        outbox.start(seat, at.seq, at, &Bytes::from_static(b"{}"));
        spread.attach(outbox, &others).await;
        people.push(seat.participant);
        readers.push(read);
    }
    // The first one sorts them out.
    spread.pass(signal(ParticipantId::new_random(), "nobody"), &others, &mut Turn::default(), &commons).await;
    for words in &mut words {
        while words.try_recv().is_ok() {}
    }
    let mut away = 0;
    for (number, who) in people.iter().enumerate() {
        let mut turn = Turn::default();
        spread.pass(signal(*who, "hi"), &others, &mut turn, &commons).await;
        assert_eq!(turn.0, 1, "listeners that the room's own shard saw to");
        let told: Vec<_> =
            words.iter_mut().flat_map(|words| std::iter::from_fn(|| words.try_recv().ok())).collect();
        let here = std::iter::from_fn(|| readers[number].try_recv().ok()).count();
        match &told[..] {
            [] => assert_eq!(here, 2, "its welcome and the signal"),
            [Word::Pass(outbox, _)] => {
                assert_eq!((outbox.connection, here), (ConnectionId(number as u64), 1));
                away += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(away >= PART, "{away} of them are with other shards");
}
