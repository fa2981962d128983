//! A room with more listeners than one part has: served by every shard, in the room's order.

use super::*;
use crate::hub::outbox::Closing;
use crate::hub::spread::PART;
use crate::protocol::close::Ending;

/// Two whole parts with other shards, one with its own, and some.
const MANY: u64 = 3 * PART as u64 + 30;

fn say(scene: &Scene, seqs: std::ops::RangeInclusive<u64>) {
    seqs.for_each(|seq| announced(&scene.hub, scene.session, scene.epoch, seq));
}

/// Waits until nobody has anything to do: time stands still until then.
async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn everybody_in_a_large_room_is_given_the_same_in_the_same_order() {
    let mut scene = Scene::set_on(3, MANY).await;
    scene.run();
    for batch in 0..20 {
        say(&scene, batch * 10 + 1..=batch * 10 + 10);
        tokio::task::yield_now().await;
    }
    idle().await;
    for given in scene.given() {
        assert!(given.iter().copied().eq(1..=200), "{given:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_goes_hears_no_more_and_leaves_a_place_for_the_next() {
    let mut scene = Scene::set_on(3, MANY).await;
    scene.run();
    say(&scene, 1..=1);
    idle().await;
    // Of every part: the first ones, some in the middle, the last ones.
    let gone = [0, PART as u64, 2 * PART as u64 + 5, MANY - 1];
    for number in gone {
        scene.hub.detach(scene.session, ConnectionId(number)).await;
    }
    say(&scene, 2..=2);
    idle().await;
    for (number, given) in (0..).zip(scene.given()) {
        assert_eq!(given.last(), Some(&if gone.contains(&number) { 1 } else { 2 }), "listener {number}");
    }
    let at = Position { epoch: scene.epoch, seq: Seq(2) };
    scene.listen(ConnectionId(MANY), at).await;
    say(&scene, 3..=3);
    idle().await;
    assert_eq!(scene.given().last().unwrap(), &[3]);
}

#[tokio::test(start_paused = true)]
async fn an_end_reaches_a_listener_whichever_shard_serves_it_and_after_its_last_entry() {
    let mut scene = Scene::set_on(3, 0).await;
    scene.run();
    let (who, mut outboxes) = (ParticipantId::new_random(), Vec::new());
    let at = Position { epoch: scene.epoch, seq: Seq::ZERO };
    for number in 0..MANY {
        // Connections of one participant, as if none had replaced the other: they have the same generation.
        outboxes.push(scene.seat(ConnectionId(number), who, at).await);
    }
    let left = format!(r#"{{"participant_id":"{who}","reason":"kicked","host_id":null}}"#);
    let records =
        vec![entry(1).record, Record::new(EntryKind::ParticipantLeft, None, None, &left), entry(3).record];
    let announcement = Announcement { epoch: scene.epoch, first: Seq(1), ts: ClusterMs(1), records };
    scene.hub.announced(scene.session, announcement);
    idle().await;
    assert!(outboxes.iter().all(|outbox| outbox.todo().closing == Some(Closing::Ours(Ending::Kicked))));
    say(&scene, 4..=4);
    idle().await;
    assert!(
        scene.given().iter().all(|given| given.last().is_some_and(|last| *last < 4)),
        "nothing after the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_room_is_forgotten_by_every_shard() {
    let mut scene = Scene::set_on(3, MANY).await;
    scene.run();
    scene.hub.close(scene.session).await;
    idle().await;
    let history = History { epoch: scene.epoch, head: Seq::ZERO, first: Seq(1), lineage: vec![] };
    scene.hub.open(scene.session).await;
    scene.hub.begin(scene.session, history).await;
    say(&scene, 1..=1);
    idle().await;
    assert!(
        scene.given().iter().all(Vec::is_empty),
        "who listened to the old room hears nothing of the new one"
    );
}
