//! One listener alone: what it is given, what it is left to pull, and how it ends.

use super::*;
use crate::hub::terms::relieve;
use crate::model::entry::Epoch;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::seat::Generation;
use crate::protocol::close::Ending;
use std::sync::atomic::AtomicUsize;
use tokio::sync::mpsc;

fn listener(room: usize, frames: usize) -> (Arc<Outbox>, mpsc::Receiver<Bytes>, Position) {
    let (body, read) = mpsc::channel(room);
    let metrics = crate::hub::quiet_metrics();
    let terms =
        Arc::new(Terms { frames, bytes: 1 << 20, bytes_total: 8, held: AtomicUsize::new(0), metrics });
    let outbox = Outbox::new(ConnectionId(1), Sink::Stream(body), terms);
    let seat = Seat {
        session: SessionId::new_random(),
        participant: ParticipantId::new_random(),
        generation: Generation(1),
    };
    let at = Position { epoch: Epoch::new_random(), seq: Seq(10) };
    outbox.start(seat, Seq(10), at, &Bytes::from_static(b"{}"));
    (outbox, read, at)
}

fn run(epoch: Epoch, first: u64, last: u64) -> Run {
    let bytes = Bytes::from(format!("{first}-{last}"));
    Run { begin: epoch, end: Position { epoch, seq: Seq(last) }, first: Seq(first), bytes, narrow: None }
}

/// A log that lost what follows `kept` of `old`'s epoch, and went on to `now`.
fn after_a_loss(old: Position, kept: u64, now: Position) -> History {
    History { epoch: now.epoch, head: now.seq, first: Seq(1), lineage: vec![(old.epoch, Seq(kept))] }
}

#[tokio::test]
async fn only_the_next_run_is_delivered() {
    let (outbox, mut read, at) = listener(8, 8);
    assert_eq!(outbox.deliver(&run(at.epoch, 9, 10)), Delivery::Skipped);
    assert!(matches!(outbox.deliver(&run(at.epoch, 11, 12)), Delivery::Sent(_)));
    assert_eq!(outbox.deliver(&run(at.epoch, 12, 14)), Delivery::Lagging);
    assert_eq!(outbox.deliver(&run(at.epoch, 13, 14)), Delivery::Lagging, "who lags pulls");
    let twelfth = Position { epoch: at.epoch, seq: Seq(12) };
    assert!(!outbox.feed(twelfth, &run(at.epoch, 14, 14)));
    assert!(outbox.feed(twelfth, &run(at.epoch, 13, 14)));
    outbox.settle();
    assert!(matches!(outbox.deliver(&run(at.epoch, 15, 15)), Delivery::Sent(_)));
    read.try_recv().expect("welcome");
    let got: Vec<_> = std::iter::from_fn(|| read.try_recv().ok()).collect();
    assert_eq!(got, ["11-12", "13-14", "15-15"]);
}

#[tokio::test]
async fn who_has_had_their_last_entry_gets_no_other() {
    let (outbox, mut read, at) = listener(8, 8);
    let kicked = Closing::Ours(crate::protocol::close::Ending::Kicked);
    assert!(matches!(outbox.deliver(&run(at.epoch, 11, 11)), Delivery::Sent(_)));
    outbox.finish_after(Seq(11), kicked);
    // Their task has not closed yet.
    assert_eq!(outbox.deliver(&run(at.epoch, 12, 12)), Delivery::Skipped);
    assert!(!outbox.feed(Position { seq: Seq(11), ..at }, &run(at.epoch, 12, 12)));
    read.try_recv().expect("welcome");
    let got: Vec<_> = std::iter::from_fn(|| read.try_recv().ok()).collect();
    assert_eq!(got, ["11-11"]);
    assert_eq!(outbox.todo().closing, Some(kicked));
}

#[tokio::test]
async fn past_its_bound_a_listener_lags_and_holds_no_more() {
    let (outbox, mut read, at) = listener(1, 2);
    let results: Vec<_> = (11..=14).map(|seq| outbox.deliver(&run(at.epoch, seq, seq))).collect();
    // The body holds the welcome, so the first two are queued and the bound of two is reached.
    assert_eq!(results, [Delivery::Sent(0), Delivery::Sent(0), Delivery::Lagging, Delivery::Lagging]);
    assert_eq!(outbox.todo(), Todo { queued: true, lagging: true, closing: None });
    assert_eq!(outbox.lock().queued_bytes, 10);
    read.try_recv().expect("welcome");
    assert_eq!(outbox.drain().expect("open"), 5);
    assert!(!outbox.send_ephemeral(&Bytes::from_static(b"typing")), "ephemeral messages go first");
    read.try_recv().expect("11");
    assert_eq!(outbox.drain().expect("open"), 5);
    assert_eq!(outbox.lock().queued_bytes, 0);
}

#[tokio::test]
async fn who_lags_is_given_its_last_entry_before_it_ends() {
    let (outbox, _read, at) = listener(8, 8);
    outbox.lag();
    outbox.finish_after(Seq(12), Closing::Ours(Ending::Kicked));
    assert_eq!((outbox.todo().closing, outbox.last_wanted()), (None, Some(Seq(12))));
    assert!(outbox.feed(at, &run(at.epoch, 11, 12)));
    assert_eq!(outbox.todo().closing, Some(Closing::Ours(Ending::Kicked)));
    let (outbox, _read, _) = listener(8, 8);
    outbox.finish_after(Seq(10), Closing::Ours(Ending::Kicked));
    assert_eq!(outbox.todo().closing, Some(Closing::Ours(Ending::Kicked)), "it has that entry");
}

#[tokio::test]
async fn who_missed_an_epochs_beginning_is_told_before_its_entries() {
    let (outbox, mut read, at) = listener(8, 8);
    let next = Epoch::new_random();
    // The room turned while this listener was behind it: `adopt` passed it by.
    outbox.adopt(Position { epoch: next, seq: Seq(11) }, &Bytes::from_static(b"{}"));
    assert_eq!(outbox.cursor(), Some(at));
    assert!(matches!(outbox.deliver(&run(next, 11, 11)), Delivery::Sent(_)));
    read.try_recv().expect("welcome");
    let status = read.try_recv().expect("status");
    let told = format!(r#""data":{{"backend":"up","epoch":"{next}","head":10}}"#);
    assert!(String::from_utf8_lossy(&status).contains(&told), "{status:?}");
    assert_eq!(read.try_recv().expect("the entry"), "11-11");
    assert!(matches!(outbox.deliver(&run(next, 12, 12)), Delivery::Sent(_)));
    assert_eq!(read.try_recv().expect("told once"), "12-12");
}

#[tokio::test]
async fn what_was_pulled_before_a_reset_is_not_fed_after_it() {
    let (outbox, _read, at) = listener(8, 8);
    outbox.lag();
    // The log lost its tail and grew as far as the listener had been: the numbers agree, the entries do not.
    let there = Position { epoch: Epoch::new_random(), ..at };
    assert!(outbox.reset(&after_a_loss(at, 7, there), &Bytes::from_static(b"{}")));
    assert!(!outbox.feed(at, &run(at.epoch, 11, 12)));
    assert!(outbox.feed(there, &run(there.epoch, 11, 11)));
}

#[tokio::test]
async fn who_is_ahead_on_another_branch_asks_the_log() {
    // It took its seat before a loss and reached a room that had not come so far: the numbers it would skip are other entries.
    let next = Epoch::new_random();
    let (outbox, _read, at) = listener(8, 8);
    assert_eq!(outbox.deliver(&run(next, 6, 10)), Delivery::Lagging);
    assert_eq!((outbox.todo().lagging, outbox.cursor()), (true, Some(at)));
    let (outbox, _read, _) = listener(8, 8);
    outbox.adopt(Position { epoch: next, seq: Seq(5) }, &Bytes::from_static(b"{}"));
    assert!(outbox.todo().lagging);
}

#[tokio::test]
async fn a_directed_message_past_the_bound_is_dropped() {
    let (outbox, _read, _) = listener(1, 2);
    let signal = Bytes::from_static(b"signal");
    let sent: Vec<bool> = (0..4).map(|_| outbox.send_direct(&signal)).collect();
    assert_eq!(sent, [true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn past_the_total_who_waits_longest_goes_first() {
    let (first, _read, at) = listener(1, 8);
    first.deliver(&run(at.epoch, 11, 11));
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let (body, _unread) = mpsc::channel(1);
    let second = Outbox::new(ConnectionId(2), Sink::Stream(body), first.terms.clone());
    (0..2).for_each(|_| second.put(Bytes::from_static(b"12345")));
    // The first one's goodbye takes longer than a second look.
    for _ in 0..2 {
        relieve(&first.terms, &[second.clone(), first.clone()]);
        assert_eq!(first.todo().closing, Some(Closing::Ours(Ending::TooSlow)));
        assert_eq!(second.todo().closing, None, "five bytes are within eight");
    }
}

#[tokio::test]
async fn a_lost_peer_is_noticed_by_whoever_writes() {
    let (outbox, read, at) = listener(4, 4);
    drop(read);
    outbox.deliver(&run(at.epoch, 11, 11));
    assert_eq!(outbox.todo().closing, Some(Closing::PeerLost));
    outbox.finish(Closing::Ours(Ending::Left));
    assert_eq!(outbox.todo().closing, Some(Closing::PeerLost), "the first reason stands");
}

#[tokio::test]
async fn a_reset_moves_those_who_saw_what_was_lost_and_nobody_else() {
    let frame = Bytes::from_static(b"{}");
    let there = Position { epoch: Epoch::new_random(), seq: Seq(8) };
    let (outbox, _read, at) = listener(8, 8);
    let history = after_a_loss(at, 6, there);
    assert!(outbox.reset(&history, &frame), "ten of the old epoch, of which six survived");
    assert_eq!((outbox.cursor(), outbox.todo().lagging), (Some(there), false));
    assert!(!outbox.reset(&history, &frame), "told once");

    let (slow, _read, at) = listener(8, 8);
    assert!(!slow.reset(&after_a_loss(at, 10, there), &frame), "all it saw survived");
    assert_eq!((slow.cursor(), slow.todo().lagging), (Some(at), true), "it pulls the rest");

    // Who took a seat after the loss is on the new branch, behind the snapshot or beyond it, and was told by its welcome.
    for seq in [7, 9] {
        let (late, _read, at) = listener(8, 8);
        assert!(late.reset(&after_a_loss(at, 6, Position { seq: Seq(seq), ..there }), &frame));
        late.lag();
        assert!(!late.reset(&after_a_loss(at, 6, there), &frame));
        assert_eq!(late.cursor(), Some(Position { seq: Seq(seq), ..there }));
    }

    let (trimmed, _read, at) = listener(8, 8);
    let far = History { epoch: at.epoch, head: Seq(900), first: Seq(500), lineage: Vec::new() };
    assert!(trimmed.reset(&far, &frame), "what follows ten is gone");
}
