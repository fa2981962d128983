//! The slow reader of a round: it takes nothing, or a little at a time, and in the end tells what became of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::engine::dial::{self, READ, Reader};
use crate::engine::lock;
use crate::engine::participant::{Participant, Received};
use crate::frames::{self, Frames, Kind};
use crate::message::{self, Frame};

/// Bytes a second of the reader that reads a little.
pub(crate) const TRICKLE: u32 = 10_000;
/// Readings a second.
const SIPS: u32 = 20;
/// What the kernel holds for a slow reader: little, so that the server feels it soon.
const WINDOW: u32 = 16 * 1024;
/// How long a reader that begins to read waits for the next bytes before it believes that there are none.
const QUIET: Duration = Duration::from_secs(1);
/// How long the gateway may take to welcome it.
const WELCOME: Duration = Duration::from_secs(10);

/// Somebody slow.
pub(crate) struct SlowReader {
    connection: Arc<tokio::sync::Mutex<Connection>>,
    who: Arc<Participant>,
    sipping: JoinSet<()>,
    from: u64,
}

struct Connection {
    reader: Reader,
    write: OwnedWriteHalf,
    who: Arc<Participant>,
    run: u32,
    closed: Option<u16>,
}

/// What became of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// Entries it was given in all, once it read what there was.
    pub(crate) entries: u64,
    /// Whether those followed one another without a hole, a repetition or a reset.
    pub(crate) whole: bool,
    /// How the server ended it, if it did: the close code, 1006 for none that could be read.
    pub(crate) closed: Option<u16>,
}

impl SlowReader {
    /// Takes a seat and from then on reads `rate` bytes a second, or nothing.
    ///
    /// # Errors
    /// The gateway does not take it.
    pub(crate) async fn seat(
        run: u32,
        who: Arc<Participant>,
        rate: Option<u32>,
    ) -> anyhow::Result<SlowReader> {
        let (reader, write) = dial::open(&who, Some(WINDOW)).await?;
        let mut connection = Connection { reader, write, who: who.clone(), run, closed: None };
        let welcomed = async {
            while !lock(&who.received).present {
                anyhow::ensure!(connection.read(READ).await?, "ended before the welcome");
            }
            Ok(())
        };
        timeout(WELCOME, welcomed).await??;
        let from = lock(&who.received).seq.highest();
        let connection = Arc::new(tokio::sync::Mutex::new(connection));
        let mut sipping = JoinSet::new();
        if let Some(rate) = rate {
            sipping.spawn(sip(connection.clone(), rate));
        }
        Ok(SlowReader { connection, who, sipping, from })
    }

    /// Reads what there is, as fast as it comes, and tells.
    ///
    /// # Errors
    /// A frame that this gateway never sends.
    pub(crate) async fn fate(mut self) -> anyhow::Result<Fate> {
        self.sipping.shutdown().await;
        let mut connection = self.connection.lock().await;
        let open = loop {
            match timeout(QUIET, connection.read(READ)).await.ok().transpose()? {
                Some(true) => {}
                Some(false) => break false,
                None => break true,
            }
        };
        let received = lock(&self.who.received);
        let seq = received.seq.highest();
        // Nothing is owed beyond what came: a slow reader may be ended in the middle of the log.
        let faults = received.faults(seq, std::iter::empty());
        Ok(Fate {
            entries: seq - self.from,
            whole: faults == Default::default(),
            closed: connection.closed.or((!open).then_some(1006)),
        })
    }
}

impl Connection {
    async fn read(&mut self, most: usize) -> anyhow::Result<bool> {
        let (mut pongs, mut closed) = (Vec::new(), None);
        let (who, run) = (&self.who, self.run);
        let take = |frames: &mut Frames<'_>| {
            let mut received = lock(&who.received);
            while let Some((kind, payload)) = frames.next()? {
                match kind {
                    Kind::Text => counted(payload, run, &mut received),
                    Kind::Ping => frames::put(Kind::Pong, payload, &mut pongs),
                    Kind::Pong => {}
                    Kind::Close => closed = Some(frames::close_code(payload)),
                }
            }
            Ok(())
        };
        let open = self.reader.read(most, take).await?;
        self.closed = self.closed.or(closed);
        if !pongs.is_empty() {
            // A socket that is full needs no proof that somebody is there.
            let _ = self.write.try_write(&pongs);
        }
        Ok(open)
    }
}

/// How late it comes to a slow reader is its own doing: only that it comes is looked at.
fn counted(payload: &[u8], run: u32, received: &mut Received) {
    match message::read(payload, run) {
        Frame::Entry { seq, .. } => {
            received.entry(seq, None);
        }
        Frame::Welcome(here) => {
            received.welcomed(here, false);
        }
        Frame::Reset(here) => received.reset(here),
        _ => {}
    }
}

async fn sip(connection: Arc<tokio::sync::Mutex<Connection>>, rate: u32) {
    let mut sips = interval(Duration::from_secs(1) / SIPS);
    sips.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let most = usize::try_from(rate / SIPS).unwrap_or(1).max(1);
    let mut connection = connection.lock_owned().await;
    // An end is found again, and told of, by who asks for the fate.
    while let Ok(true) = connection.read(most).await {
        sips.tick().await;
    }
}
