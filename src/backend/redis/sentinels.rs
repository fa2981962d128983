//! What sentinels say of where the primary is.
//!
//! Responsible for asking them and for hearing of a switch. Asked are all at once, and the one with the newest configuration is
//! believed: the first to answer may have been cut off from the others and name a primary that has been replaced. For the same reason
//! a configuration older than one already seen is not believed while a sentinel is silent. What is named is only a hint: that it is a primary
//! is seen by asking it (`verify`). Not responsible for connections to it (`supervisor`).
//!
//! While a failover is under way nobody is named: a primary that is still alive is told only seconds after its replica was promoted
//! (`SENTINEL FAILOVER` on 7.0: eight), and would take writes until then that are lost. Sentinels that are away are no reason to leave a
//! primary that answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cause::cause;
use super::dial::Dial;
use super::link::{Fault, Link, RESPONSE_TIMEOUT};
use super::meters::Meters;
use super::settings::{Address, RedisTarget};
use super::verify::Unfit;

/// How long the others are waited for once one has answered: a healthy one needs its round trip, a silent one must not hold a failover up.
const OTHERS_WITHIN: Duration = Duration::from_millis(250);
/// How long all of them together may take: opening a connection, and an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Between attempts to listen to a sentinel. The others are listened to meanwhile, and all are asked now and then anyway.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// Where a sentinel says that it is about to choose a replica, which it promotes two of its ticks later: a tenth of a second or two.
const LEAVING: &[u8] = b"+failover-state-select-slave";
/// Where it says that another server is the primary.
const SWITCHED: &[u8] = b"+switch-master";

/// What one sentinel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// The failover after which the primary became one: rises with each.
    epoch: u64,
    address: Address,
    /// It is being replaced, and by whom is not yet known.
    leaving: bool,
}

/// The sentinels of one primary.
pub(super) struct Sentinels {
    dials: Vec<Dial>,
    master: String,
    /// The newest configuration that any of them knew.
    seen: AtomicU64,
    /// Counts what may have changed the answer.
    news: watch::Sender<u64>,
    /// Counts failovers that are about to promote somebody.
    alarms: watch::Sender<u64>,
    meters: Arc<Meters>,
}

impl Sentinels {
    /// # Errors
    /// When the target cannot be used: a certificate that is none.
    pub(super) fn new(
        target: &RedisTarget,
        hosts: &[Address],
        master: &str,
        meters: &Arc<Meters>,
    ) -> Result<Arc<Self>, RedisError> {
        let dials = hosts.iter().map(|host| Dial::sentinel(target, host)).collect::<Result<_, _>>()?;
        let (news, alarms) = (watch::Sender::new(0), watch::Sender::new(0));
        let (master, seen, meters) = (master.to_owned(), AtomicU64::new(0), meters.clone());
        Ok(Arc::new(Self { dials, master, seen, news, alarms, meters }))
    }

    /// Changes when it is worth asking again.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Changes when the primary is to be left at once.
    pub(super) fn alarms(&self) -> watch::Receiver<u64> {
        self.alarms.subscribe()
    }

    /// The primary, as those who know best have it.
    pub(super) async fn ask(&self) -> Result<Address, Unfit> {
        let mut asked: FuturesUnordered<_> = self.dials.iter().map(|dial| self.ask_one(dial)).collect();
        let mut until = Instant::now() + ANSWER_WITHIN;
        let (mut named, mut answered, mut last) = (Vec::new(), 0, String::from("no answer in time"));
        while let Ok(Some(answer)) = tokio::time::timeout_at(until, asked.next()).await {
            match answer {
                Ok(answer) => {
                    answered += 1;
                    named.extend(answer);
                    until = until.min(Instant::now() + OTHERS_WITHIN);
                }
                Err(why) => last = why,
            }
        }
        if answered == 0 {
            return Err(Unfit::NoSentinel(last));
        }
        let Some(newest) = newest(named) else {
            return Err(Unfit::UnknownToSentinels(self.master.clone()));
        };
        let seen = self.seen.fetch_max(newest.epoch, Ordering::Relaxed);
        if newest.epoch < seen {
            if answered < self.dials.len() {
                return Err(Unfit::OutdatedSentinels);
            }
            // All of them: they were set up anew.
            self.seen.store(newest.epoch, Ordering::Relaxed);
        }
        if newest.leaving { Err(Unfit::FailingOver) } else { Ok(newest.address) }
    }

    /// What one sentinel knows; nothing if it does not know the primary's name.
    async fn ask_one(&self, dial: &Dial) -> Result<Option<Named>, String> {
        let link = dial.command(CancellationToken::new(), &self.meters).await.map_err(text)?;
        let mut commands = redis::pipe();
        // In this order: an address can be newer than the configuration beside it, never older.
        commands.cmd("SENTINEL").arg("MASTER").arg(&self.master);
        commands.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let mut answers = link.call_each(&commands, 2).await.map_err(|fault| fault.to_string())?.into_iter();
        let (Some(state), Some(address)) = (answers.next(), answers.next()) else {
            return Err("an answer is missing".to_owned());
        };
        match (state, address) {
            (_, Ok(Value::Nil)) => Ok(None),
            (Ok(state), Ok(address)) => {
                named(state, address).map(Some).ok_or_else(|| "no sentinel's answer".to_owned())
            }
            (Err(Fault::Failed(text) | Fault::Refused(text)), _)
            | (_, Err(Fault::Failed(text) | Fault::Refused(text))) => Err(text),
            (Err(fault), _) | (_, Err(fault)) => Err(fault.to_string()),
        }
    }

    /// Listens to each of them, until stopped.
    pub(super) fn listen(self: &Arc<Self>, stop: &CancellationToken, tracker: &TaskTracker) {
        for at in 0..self.dials.len() {
            let (sentinels, stop) = (self.clone(), stop.clone());
            tracker.spawn(async move { stop.run_until_cancelled(sentinels.listen_to(at)).await });
        }
    }

    async fn listen_to(self: Arc<Self>, at: usize) {
        loop {
            match self.subscribe(&self.dials[at]).await {
                Ok(link) => {
                    // What was said before is not said again.
                    self.tell();
                    link.broken().cancelled().await;
                }
                Err(error) => tracing::debug!(sentinel = at, error, "a sentinel is not listened to"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn subscribe(self: &Arc<Self>, dial: &Dial) -> Result<Link, String> {
        let (sentinels, broken) = (self.clone(), CancellationToken::new());
        let ended = broken.clone();
        let pushed = Arc::new(move |info: PushInfo| match info.kind {
            PushKind::Message => sentinels.heard(&info),
            PushKind::Disconnection => ended.cancel(),
            _ => {}
        });
        let link = dial.subscriber(pushed, broken, &self.meters).await.map_err(text)?;
        let mut commands = redis::pipe();
        for channel in [LEAVING, SWITCHED] {
            commands.cmd("SUBSCRIBE").arg(channel);
        }
        match tokio::time::timeout(RESPONSE_TIMEOUT, link.call_all(&commands, 2)).await {
            Ok(Ok(())) => Ok(link),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Takes what was pushed, if it is about our primary: `<name> <old ip> <old port> <new ip> <new port>`, or `master <name> <ip> <port>`.
    fn heard(&self, info: &PushInfo) {
        let [Value::BulkString(channel), Value::BulkString(payload)] = &info.data[..] else { return };
        let mut words = payload.split(|byte| *byte == b' ');
        let name = if channel == LEAVING { words.nth(1) } else { words.next() };
        if name != Some(self.master.as_bytes()) {
            return;
        }
        if channel == LEAVING {
            self.alarms.send_modify(|alarms| *alarms += 1);
        }
        self.tell();
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }
}

/// The newest configuration; of equals the first that answered, but for one that knows of a failover.
fn newest(named: Vec<Named>) -> Option<Named> {
    let rank = |named: &Named| (named.epoch, named.leaving);
    named.into_iter().reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
}

/// Reads `SENTINEL MASTER` (names and values in turn) and `SENTINEL GET-MASTER-ADDR-BY-NAME`, which gives another address than the first
/// from the moment on that a replica was promoted.
fn named(state: Value, address: Value) -> Option<Named> {
    let state: Vec<String> = redis::from_redis_value(state).ok()?;
    let (host, port): (String, u16) = redis::from_redis_value(address).ok()?;
    let field = |name: &str| state.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let epoch = field("config-epoch")?.parse().ok()?;
    let failing_over = field("flags")?.split(',').any(|flag| flag == "failover_in_progress");
    let unchanged = field("ip") == Some(&host) && field("port") == Some(&port.to_string());
    Some(Named { epoch, address: Address { host, port }, leaving: failing_over && unchanged })
}

fn text(error: RedisError) -> String {
    cause(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, port: u16) -> Named {
        Named { epoch, address: Address { host: "10.0.0.1".to_owned(), port }, leaving: false }
    }

    #[test]
    fn the_newest_configuration_is_believed_and_of_equals_the_first() {
        assert_eq!(newest(vec![at(3, 1), at(4, 2), at(4, 3), at(0, 4)]), Some(at(4, 2)));
        assert_eq!(newest(Vec::new()), None);
    }

    #[test]
    fn a_failover_is_known_to_whoever_leads_it_and_over_with_a_newer_configuration() {
        let leaving = Named { leaving: true, ..at(4, 2) };
        assert_eq!(newest(vec![at(4, 2), leaving.clone(), at(4, 2)]), Some(leaving.clone()));
        assert_eq!(newest(vec![leaving, at(5, 3)]), Some(at(5, 3)), "somebody else's failover came first");
    }

    #[test]
    fn an_answer_is_an_epoch_and_an_address() {
        let texts = |words: &[&str]| {
            Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
        };
        let state = |flags| {
            texts(&["name", "watch", "ip", "10.0.0.1", "port", "6379", "flags", flags, "config-epoch", "7"])
        };
        let (here, there) = (|| texts(&["10.0.0.1", "6379"]), || texts(&["10.0.0.1", "6380"]));
        assert_eq!(named(state("master"), here()), Some(at(7, 6379)));
        let leaving = Named { leaving: true, ..at(7, 6379) };
        assert_eq!(named(state("s_down,o_down,master,failover_in_progress"), here()), Some(leaving));
        let promoted = named(state("master,failover_in_progress"), there());
        assert_eq!(promoted, Some(at(7, 6380)), "a replica was promoted: that one can be gone to");
        assert_eq!(named(state("master"), texts(&["10.0.0.1", "x"])), None);
        assert_eq!(named(texts(&["name", "watch"]), here()), None);
    }
}
