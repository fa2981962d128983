//! The hub with its shard and without a backend: what a full inbox and a contradicted announcement come to. The tests answer the repairs.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

mod receivers;
mod spread;

use super::outbox::Closing;
use super::sink::Sink;
use super::terms::Terms;
use super::*;
use crate::model::entry::{Entry, Epoch, Position};
use crate::model::record::{EntryKind, Record};
use crate::model::time::ClusterMs;
use crate::protocol::close::Ending;

/// Entries of a page, as the gateway asks for them.
const PAGE: u64 = 256;

fn entry(seq: u64) -> Entry {
    let record = Record::new(EntryKind::Chat, None, Some(seq), r#"{"text":"x"}"#);
    Entry { seq: Seq(seq), ts: ClusterMs(1), record }
}

fn announced(hub: &Hub, session: SessionId, epoch: Epoch, seq: u64) {
    let Entry { seq, ts, record } = entry(seq);
    hub.announced(session, Announcement { epoch, first: seq, ts, records: vec![record] });
}

/// What the log says after `at`, when it goes from 1 to its head.
fn page(history: &History, at: Position) -> Page {
    let last = history.head.0.min(at.seq.0 + PAGE);
    Page { history: history.clone(), entries: (at.seq.0 + 1..=last).map(entry).collect() }
}

struct Scene {
    hub: Arc<Hub>,
    tasks: Vec<ShardTask>,
    running: JoinSet<()>,
    session: SessionId,
    epoch: Epoch,
    readers: Vec<mpsc::Receiver<Bytes>>,
}

impl Scene {
    /// A room at position 0 with so many listeners, in a hub whose shard does not run yet.
    async fn set(listeners: u64) -> Self {
        Self::set_on(1, listeners).await
    }

    async fn set_on(shards: usize, listeners: u64) -> Self {
        let clock = Arc::new(ClusterClock::new());
        let commons = Commons { metrics: quiet_metrics(), clock, origin: Origin::Remote };
        let (hub, tasks) = Hub::new(shards, commons);
        let (session, epoch) = (SessionId::new_random(), Epoch::new_random());
        let history = History { epoch, head: Seq::ZERO, first: Seq(1), lineage: vec![] };
        hub.open(session).await;
        hub.begin(session, history.clone()).await;
        let running = JoinSet::new();
        let mut scene = Self { hub, tasks, running, session, epoch, readers: Vec::new() };
        for number in 0..listeners {
            scene.listen(ConnectionId(number), history.position()).await;
        }
        scene
    }

    async fn listen(&mut self, connection: ConnectionId, at: Position) {
        self.seat(connection, ParticipantId::new_random(), at).await;
    }

    /// Attaches a listener whose seat was taken at `at`.
    async fn seat(
        &mut self,
        connection: ConnectionId,
        participant: ParticipantId,
        at: Position,
    ) -> Arc<Outbox> {
        let (body, read) = mpsc::channel(4 * INBOX);
        let terms = Terms {
            frames: 8,
            bytes: 1 << 20,
            bytes_total: 1 << 30,
            held: AtomicUsize::new(0),
            metrics: quiet_metrics(),
        };
        let outbox = Outbox::new(connection, Sink::Stream(body), Arc::new(terms));
        let seat = Seat { session: self.session, participant, generation: Generation(1) };
        outbox.start(seat, at.seq, at, &Bytes::from_static(b"{}"));
        self.hub.attach(self.session, outbox.clone()).await;
        self.readers.push(read);
        outbox
    }

    fn run(&mut self) {
        self.tasks.drain(..).for_each(|task| drop(self.running.spawn(task.run())));
    }

    /// Answers repairs until nobody asks any more; how many there were. Time stands still while anyone has something to do.
    async fn answer_repairs(&self, history: &History) -> u64 {
        let mut asked = 0;
        while let Ok(rooms) = timeout(Duration::from_secs(1), self.hub.behind().take(8)).await {
            assert_eq!(rooms.len(), 1, "a room asks once, however many listen");
            for (session, at) in rooms {
                asked += 1;
                assert!(asked <= 1000, "it asks for ever");
                self.hub.repair(session, Repair::Page(page(history, at))).await;
            }
        }
        asked
    }

    /// The numbers that each listener was given, in order.
    fn given(&mut self) -> Vec<Vec<u64>> {
        let seqs = |text: String| -> Vec<u64> {
            let numbers = text.split("\"seq\":").skip(1);
            numbers.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
        };
        let all = self.readers.iter_mut().map(|read| {
            let bytes: Vec<u8> = std::iter::from_fn(|| read.try_recv().ok()).flatten().collect();
            seqs(String::from_utf8(bytes).unwrap())
        });
        all.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_overflows_is_made_up_for_by_reads_of_the_room_and_not_of_its_listeners() {
    let mut asked = Vec::new();
    for listeners in [1, 50] {
        let mut scene = Scene::set(listeners).await;
        let head = INBOX as u64 + 500;
        (1..=head).for_each(|seq| announced(&scene.hub, scene.session, scene.epoch, seq));
        let history = History { epoch: scene.epoch, head: Seq(head), first: Seq(1), lineage: vec![] };
        scene.run();
        asked.push(scene.answer_repairs(&history).await);
        for given in scene.given() {
            assert!(given.iter().copied().eq(1..=head), "no hole, no repetition");
        }
    }
    // Listeners who come take places in the inbox too, which moves the first page by a few entries.
    assert!(asked[0].abs_diff(asked[1]) <= 1, "{asked:?} reads, however many listen");
    assert!(asked.iter().all(|asked| (1..=INBOX as u64 / PAGE + 3).contains(asked)), "{asked:?} reads");
}

#[tokio::test(start_paused = true)]
async fn what_the_log_lost_after_it_was_announced_is_not_asked_for_for_ever() {
    let mut scene = Scene::set(2).await;
    scene.run();
    (1..=5).for_each(|seq| announced(&scene.hub, scene.session, scene.epoch, seq));
    // Six and seven are missed, eight is heard; then the store loses all three.
    announced(&scene.hub, scene.session, scene.epoch, 8);
    let mut history = History { epoch: scene.epoch, head: Seq(5), first: Seq(1), lineage: vec![] };
    let asked = scene.answer_repairs(&history).await;
    assert!((1..=5).contains(&asked), "{asked} reads");

    // The next write begins a new epoch with the same numbers.
    history =
        History { epoch: Epoch::new_random(), head: Seq(6), lineage: vec![(scene.epoch, Seq(5))], ..history };
    announced(&scene.hub, scene.session, history.epoch, 6);
    assert_eq!(scene.answer_repairs(&history).await, 1);
    announced(&scene.hub, scene.session, history.epoch, 7);
    history.head = Seq(7);
    assert_eq!(scene.answer_repairs(&history).await, 0, "in step");
    for given in scene.given() {
        assert_eq!(given, [1, 2, 3, 4, 5, 6, 7]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_their_own_end_passed_is_ended_all_the_same() {
    let mut scene = Scene::set(1).await;
    scene.run();
    let late = ParticipantId::new_random();
    let left = format!(r#"{{"participant_id":"{late}","reason":"kicked","host_id":"{late}"}}"#);
    let records = [Record::new(EntryKind::ParticipantLeft, None, None, &left), entry(2).record];
    for (seq, record) in (1..).zip(records) {
        let announcement =
            Announcement { epoch: scene.epoch, first: Seq(seq), ts: ClusterMs(1), records: vec![record] };
        scene.hub.announced(scene.session, announcement);
    }
    // Its seat was taken before the first entry; it comes to the room after both.
    let at = Position { epoch: scene.epoch, seq: Seq::ZERO };
    let outbox = scene.seat(ConnectionId(9), late, at).await;
    outbox.woken().await;
    assert_eq!(
        (outbox.last_wanted(), outbox.todo().lagging),
        (Some(Seq(1)), true),
        "its end is the last it is given"
    );
    // Who took a seat after that end is not meant.
    let again = scene.seat(ConnectionId(10), late, Position { seq: Seq(2), ..at }).await;
    scene.hub.expect(scene.session, Seq(2)).await;
    timeout(Duration::from_secs(1), again.woken()).await.expect_err("nothing to do");
    assert_eq!((again.last_wanted(), again.todo().closing), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_a_beat_found_lost_ends_once_its_room_has_come_as_far_as_the_beat() {
    let mut scene = Scene::set(1).await;
    scene.run();
    let at = Position { epoch: scene.epoch, seq: Seq::ZERO };
    let listener = scene.seat(ConnectionId(9), ParticipantId::new_random(), at).await;
    let (seat, _) = *listener.seat().expect("it has one");
    scene.hub.lose(scene.session, Seq(2), vec![seat]).await;
    announced(&scene.hub, scene.session, scene.epoch, 1);
    timeout(Duration::from_secs(1), listener.woken()).await.expect_err("the second entry may say better why");
    assert_eq!(listener.todo().closing, None);
    announced(&scene.hub, scene.session, scene.epoch, 2);
    listener.woken().await;
    assert_eq!(listener.todo().closing, Some(Closing::Ours(Ending::SeatLost)));
    assert_eq!(scene.given(), [[1, 2], [1, 2]], "nobody else ends, and nobody lacks anything");
}

#[tokio::test(start_paused = true)]
async fn sessions_without_a_room_here_cost_those_with_one_nothing() {
    let mut scene = Scene::set(1).await;
    let stranger = SessionId::new_random();
    (1..=INBOX as u64 + 10).for_each(|seq| announced(&scene.hub, stranger, scene.epoch, seq));
    scene.run();
    let mut history = History { epoch: scene.epoch, head: Seq::ZERO, first: Seq(1), lineage: vec![] };
    assert_eq!(scene.answer_repairs(&history).await, 0, "nobody asks for a room that is not there");
    history.head = Seq(2);
    (1..=2).for_each(|seq| announced(&scene.hub, scene.session, scene.epoch, seq));
    assert_eq!(scene.answer_repairs(&history).await, 0, "in step");
    assert_eq!(scene.given(), [[1, 2]]);
}
