//! What this node listens to: the wanted channels, on whatever connection there is.
//!
//! Responsible for subscribing each channel by a command of its own and waiting for the confirmation that bears its name, and for noticing
//! a channel that Redis took away. Not responsible for opening the connection (`supervisor`) or for the messages (`arrivals`).
//! The connection carries nothing but subscriptions, as the crate counts an unsolicited `sunsubscribe` as an answer. Confirmations are
//! taken on the connection's own task, so nothing here waits while it holds the board.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::arrivals::{Channel, Queue};
use super::dial::Pushed;
use super::keys::Keys;
use super::link::{Fault, Link, RESPONSE_TIMEOUT};
use super::meters::Meters;
use crate::backend::error::BackendError;
use crate::backend::log::Deliver;
use crate::model::id::SessionId;

/// Channels subscribed in one write.
const PIPELINED: usize = 256;
/// How long all channels of a new connection may take to be confirmed.
const RESUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A channel this node wants.
#[derive(Default)]
struct Wanted {
    /// On the present connection.
    confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Default)]
struct Board {
    channels: HashMap<Channel, Wanted>,
    link: Option<Arc<Link>>,
    /// Counts connections, so that a push of an older one changes nothing.
    connection: u64,
}

/// The wanted channels, over all connections.
pub(super) struct Subscriber {
    keys: Keys,
    home: String,
    board: Mutex<Board>,
    confirmed: Notify,
    queue: Queue,
    /// Of a cluster: told when channels were taken away, which are listened to elsewhere then.
    taken: Option<Arc<Notify>>,
    /// Channels that the gauge counts for this one.
    counted: AtomicUsize,
    meters: Arc<Meters>,
}

impl Subscriber {
    pub(super) fn new(
        keys: Keys,
        home: String,
        queue: Queue,
        taken: Option<Arc<Notify>>,
        meters: Arc<Meters>,
    ) -> Arc<Self> {
        let mut board = Board::default();
        board.channels.insert(Channel::Home, Wanted::default());
        let (board, confirmed, counted) = (Mutex::new(board), Notify::new(), AtomicUsize::new(0));
        Arc::new(Self { keys, home, board, confirmed, queue, taken, counted, meters })
    }

    /// Has the gauge count so many channels here.
    fn count(&self, channels: usize) {
        let before = self.counted.swap(channels, Ordering::Relaxed);
        self.meters.subscriptions.increment(channels as f64 - before as f64);
    }

    /// Whether a session is listened to here, as Redis has confirmed.
    pub(super) fn listens(&self, session: SessionId) -> bool {
        self.board().channels.get(&Channel::Session(session)).is_some_and(|wanted| wanted.confirmed)
    }

    /// Tells whose announcements may have been missed: of a cluster, only sessions of this primary.
    pub(super) fn interrupt(&self, deliver: &dyn Deliver) {
        if self.taken.is_none() {
            return deliver.interrupted(None);
        }
        let channels: Vec<Channel> = self.board().channels.keys().copied().collect();
        for channel in channels {
            if let Channel::Session(session) = channel {
                deliver.interrupted(Some(session));
            }
        }
    }

    /// There is no such primary any more.
    pub(super) fn retire(&self) {
        self.board().channels.clear();
        self.count(0);
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, channel: Channel) -> String {
        match channel {
            Channel::Session(session) => self.keys.channel(session),
            Channel::Home => self.home.clone(),
        }
    }

    fn channel(&self, name: &[u8]) -> Option<Channel> {
        if name == self.home.as_bytes() {
            return Some(Channel::Home);
        }
        self.keys.session_of(name).map(Channel::Session)
    }

    /// Whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        self.board().link.is_some()
    }

    /// Listens to a session; returns when Redis has confirmed it.
    pub(super) async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        let channel = Channel::Session(session);
        let (link, fresh, confirmed) = {
            let mut board = self.board();
            let link = board.link.clone().ok_or_else(|| away("no connection for subscriptions"))?;
            let fresh = !board.channels.contains_key(&channel);
            let wanted = board.channels.entry(channel).or_default();
            if wanted.confirmed {
                return Ok(());
            }
            let (sender, receiver) = oneshot::channel();
            wanted.waiting.push(sender);
            self.count(board.channels.len());
            (link, fresh, receiver)
        };
        let asked = async {
            if fresh {
                let mut command = redis::cmd("SSUBSCRIBE");
                link.call(command.arg(self.name(channel))).await.map_err(|fault| fault.into_error(false))?;
            }
            confirmed.await.map_err(|_| away("the connection for subscriptions was lost"))
        };
        let outcome = tokio::time::timeout(RESPONSE_TIMEOUT, asked).await;
        let outcome = outcome.unwrap_or_else(|_| Err(away("a subscription was not confirmed in time")));
        if outcome.is_err() {
            self.forget_unconfirmed(channel);
        }
        outcome
    }

    fn forget_unconfirmed(&self, channel: Channel) {
        let mut board = self.board();
        if board.channels.get(&channel).is_some_and(|wanted| !wanted.confirmed) {
            board.channels.remove(&channel);
            self.count(board.channels.len());
        }
    }

    /// Stops listening to a session.
    pub(super) async fn unsubscribe(&self, session: SessionId) {
        let channel = Channel::Session(session);
        let link = {
            let mut board = self.board();
            if board.channels.remove(&channel).is_none() {
                return;
            }
            self.count(board.channels.len());
            board.link.clone()
        };
        let Some(link) = link else { return };
        if let Err(fault) = link.call(redis::cmd("SUNSUBSCRIBE").arg(self.name(channel))).await {
            // The channel is not wanted: its messages, should any still come, go to a session nobody is in.
            tracing::debug!(?fault, "a channel was not given up");
        }
    }

    /// What takes the pushes of the next connection.
    pub(super) fn pushed(self: &Arc<Self>, broken: CancellationToken) -> Pushed {
        let connection = {
            let mut board = self.board();
            board.connection += 1;
            board.connection
        };
        let subscriber = self.clone();
        Arc::new(move |info| subscriber.arrived(connection, info, &broken))
    }

    /// Subscribes every wanted channel on a new connection, and returns when each was confirmed by name.
    pub(super) async fn attach(&self, link: Arc<Link>) -> Result<(), Fault> {
        let channels: Vec<Channel> = {
            let mut board = self.board();
            board.link = Some(link.clone());
            board.channels.values_mut().for_each(|wanted| wanted.confirmed = false);
            board.channels.keys().copied().collect()
        };
        for chunk in channels.chunks(PIPELINED) {
            let mut commands = redis::pipe();
            for channel in chunk {
                commands.cmd("SSUBSCRIBE").arg(self.name(*channel));
            }
            let answers = link.call_each(&commands, chunk.len()).await?;
            for (channel, answer) in chunk.iter().zip(answers) {
                match answer {
                    // Its slot is another primary's now, where it is listened to as soon as that is known.
                    Err(Fault::Elsewhere(_)) if *channel != Channel::Home => self.take(*channel),
                    answer => drop(answer?),
                }
            }
        }
        let all = tokio::time::timeout(RESUBSCRIBE_TIMEOUT, self.all_confirmed());
        tokio::select! {
            all = all => all.map_err(|_| Fault::Silent("channels were not confirmed in time".into())),
            () = link.broken().cancelled() => Err(Fault::Silent("the connection was lost".into())),
        }
    }

    async fn all_confirmed(&self) {
        loop {
            let changed = self.confirmed.notified();
            if self.board().channels.values().all(|wanted| wanted.confirmed) {
                return;
            }
            changed.await;
        }
    }

    /// The connection is deaf: have it replaced.
    pub(super) fn tear_down(&self) {
        if let Some(link) = &self.board().link {
            link.broken().cancel();
        }
    }

    /// There is no connection any more.
    pub(super) fn detach(&self) {
        let mut board = self.board();
        board.link = None;
        for wanted in board.channels.values_mut() {
            wanted.confirmed = false;
            wanted.waiting.clear();
        }
    }

    /// Runs on the connection's task.
    fn arrived(&self, connection: u64, info: PushInfo, broken: &CancellationToken) {
        let mut data = info.data.into_iter();
        let name = match data.next() {
            Some(Value::BulkString(name)) => name,
            _ if info.kind == PushKind::Disconnection => return broken.cancel(),
            _ => return,
        };
        let Some(channel) = self.channel(&name) else { return };
        match info.kind {
            PushKind::SMessage => {
                if let Some(Value::BulkString(payload)) = data.next() {
                    self.queue.push(channel, Bytes::from(payload));
                }
            }
            PushKind::SSubscribe => self.confirm(connection, channel),
            // Redis took the channel away (its slot moved): this connection is deaf on it.
            PushKind::SUnsubscribe if self.is_confirmed(connection, channel) => {
                if self.taken.is_some() && channel != Channel::Home {
                    self.take(channel);
                }
                // The crate may have taken it for an answer: what it answers from now on belongs to the wrong questions.
                broken.cancel();
            }
            _ => {}
        }
    }

    fn confirm(&self, connection: u64, channel: Channel) {
        let mut board = self.board();
        if board.connection != connection {
            return;
        }
        if let Some(wanted) = board.channels.get_mut(&channel) {
            wanted.confirmed = true;
            for waiting in wanted.waiting.drain(..) {
                // Whoever waited may have given up.
                let _ = waiting.send(());
            }
        }
        drop(board);
        self.confirmed.notify_waiters();
    }

    /// A channel is not here any more.
    fn take(&self, channel: Channel) {
        let mut board = self.board();
        board.channels.remove(&channel);
        self.count(board.channels.len());
        drop(board);
        self.confirmed.notify_waiters();
        if let Some(taken) = &self.taken {
            taken.notify_one();
        }
    }

    fn is_confirmed(&self, connection: u64, channel: Channel) -> bool {
        let board = self.board();
        board.connection == connection && board.channels.get(&channel).is_some_and(|wanted| wanted.confirmed)
    }
}

fn away(what: &str) -> BackendError {
    BackendError::Unavailable(what.to_owned())
}
