//! Who lives in a world: sessions with publishers, listeners and people who come and go, for the length of a run.
//!
//! Responsible for their number and rate, for seeding them, for waiting until all of them have everything, and for reading the final logs.
//! What one client does is `member`'s, what a publisher says again `outgoing`'s, what is broken meanwhile the nemesis'.

pub(crate) mod member;
pub(crate) mod outgoing;
pub(crate) mod socket;
pub(crate) mod standing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::asking::Question;
use crate::checker::{FinalLog, FinalLogs};
use crate::happening::{self, Entry, Epoch, Participant, Seq};
use crate::journal::{self, Journal, uuid};
use crate::support::mint::{Mint, random_uuid};
use crate::support::node::SECRET;
use crate::support::redis_server::RedisServer;
use crate::support::wait;
use crate::world::World;
use member::{Habit, Member, Persona, Provision, Stage};
use standing::{Phase, Standing};

/// How long one question over HTTP may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long everybody gets to come (back): a debug build on a machine with other work.
const GATHER: Duration = Duration::from_secs(60);

/// How many people there are and how much they say.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) sessions: usize,
    /// In each session.
    pub(crate) publishers: usize,
    pub(crate) listeners: usize,
    pub(crate) visitors: usize,
    /// Messages a second, of all publishers together.
    pub(crate) rate: u32,
    /// Seats of a session.
    pub(crate) seats: u32,
    /// What everybody has in common.
    pub(crate) habit: Habit,
}

impl Shape {
    /// The load of the matrix: 20 sessions of 3 publishers, 8 listeners and 2 who come and go.
    pub(crate) fn full(rate: u32) -> Shape {
        Shape {
            sessions: 20,
            publishers: 3,
            listeners: 8,
            visitors: 2,
            rate,
            seats: 50,
            habit: Habit::default(),
        }
    }

    /// A load for a debug build on a busy machine.
    pub(crate) fn small() -> Shape {
        Shape {
            sessions: 4,
            listeners: 3,
            visitors: 1,
            publishers: 2,
            rate: 40,
            seats: 50,
            habit: Habit::default(),
        }
    }

    fn habits(&self) -> Vec<Habit> {
        let speakers = f64::from(u32::try_from(self.sessions * self.publishers).unwrap_or(u32::MAX));
        let every = Duration::from_secs_f64(speakers / f64::from(self.rate.max(1)));
        let common = || self.habit.clone();
        let publishers = (0..self.publishers).map(|_| Habit { every: Some(every), ..common() });
        let listeners = (0..self.listeners).map(|_| common());
        let visitors = (0..self.visitors).map(|_| Habit { visits: Some(Duration::from_secs(3)), ..common() });
        publishers.chain(listeners).chain(visitors).collect()
    }
}

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) token: String,
    pub(crate) seats: u32,
}

/// The request for a new one.
pub(crate) fn create(addr: SocketAddr, seats: u32) -> Question<'static> {
    let body = json!({"name": "Chaos night", "password": "popcorn", "max_participants": seats});
    Question { addr, method: "POST", path: "/api/sessions/create", token: None, body: Some(body) }
}

impl Session {
    /// Created through a node.
    pub(crate) async fn found(addr: SocketAddr, seats: u32) -> Session {
        wait::until("a session to be created", || async move {
            let (status, body) = create(addr, seats).ask(PATIENCE).await?;
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            (status == 201).then_some(())?;
            Some(Session { id: text("id")?, host: text("participant_id")?, token: text("token")?, seats })
        })
        .await
    }

    /// The creator, or somebody new.
    fn persona(&self, is_host: bool, habit: Habit, seed: u64) -> Persona {
        let (id, token) = if is_host {
            (self.host.clone(), self.token.clone())
        } else {
            let id = random_uuid();
            let token = Mint::new(SECRET).token(&self.id, &id, "member");
            (id, token)
        };
        Persona { session: self.id.clone(), id, token, habit, seed }
    }
}

/// Somebody as the crowd knows them.
pub(crate) struct Face {
    pub(crate) session: usize,
    pub(crate) id: String,
    pub(crate) standing: Arc<Standing>,
    death: CancellationToken,
}

/// Everybody.
pub(crate) struct Crowd {
    pub(crate) sessions: Vec<Session>,
    pub(crate) faces: Vec<Face>,
    addresses: Arc<Vec<SocketAddr>>,
    journal: Journal,
    stage: watch::Sender<Stage>,
    members: JoinSet<()>,
    rng: fastrand::Rng,
}

impl Crowd {
    /// Creates the sessions and lets everybody in; all have been there when this returns.
    pub(crate) async fn gather(
        addresses: Vec<SocketAddr>,
        shape: &Shape,
        journal: &Journal,
        seed: u64,
    ) -> Crowd {
        let mut crowd = Crowd {
            sessions: Vec::new(),
            faces: Vec::new(),
            addresses: Arc::new(addresses),
            journal: journal.clone(),
            stage: watch::Sender::new(Stage::Talk),
            members: JoinSet::new(),
            rng: fastrand::Rng::with_seed(seed),
        };
        for at in 0..shape.sessions {
            let addr = crowd.addresses[at % crowd.addresses.len()];
            let session = Session::found(addr, shape.seats).await;
            crowd.sessions.push(session);
            for (who, habit) in shape.habits().into_iter().enumerate() {
                crowd.admit(at, who == 0, habit);
            }
        }
        crowd.all_have_come().await;
        crowd
    }

    /// Lets one more in.
    pub(crate) fn admit(&mut self, session: usize, is_host: bool, habit: Habit) {
        let persona = self.sessions[session].persona(is_host, habit, self.rng.u64(..));
        let standing = Arc::new(Standing::default());
        let death = CancellationToken::new();
        let face = Face { session, id: persona.id.clone(), standing: standing.clone(), death: death.clone() };
        self.faces.push(face);
        let voice = self.journal.voice(&persona.session, &persona.id);
        let stage = self.stage.subscribe();
        let provision = Provision { addresses: self.addresses.clone(), voice, standing, stage, death };
        self.members.spawn(Member::new(persona, provision).live());
    }

    /// Somebody dies and does not come back.
    pub(crate) fn bury(&self, participant: &str) {
        self.faces.iter().filter(|face| face.id == participant).for_each(|face| face.death.cancel());
    }

    /// Waits until everybody has been there: some go again at once.
    pub(crate) async fn all_have_come(&self) {
        wait::until_within(GATHER, "everybody to come", || async {
            self.faces.iter().all(|face| face.standing.has_come()).then_some(())
        })
        .await;
    }

    /// Waits until everybody sits at the same time, in a crowd of which nobody comes and goes.
    pub(crate) async fn all_seated(&self) {
        wait::until_within(GATHER, "everybody to be seated", || async {
            self.faces.iter().all(|face| face.standing.is_seated()).then_some(())
        })
        .await;
    }

    /// Waits until everybody has said their last word, everything is acked, and everybody has all of the log. Who is not done within the
    /// time, and why.
    pub(crate) async fn settle(&self, within: Duration) -> Vec<String> {
        let end = Instant::now() + within;
        self.stage.send_replace(Stage::Hush);
        let quiet = tokio::time::timeout_at(
            end,
            wait::until_within(within * 2, "silence", || async {
                self.faces.iter().all(|face| face.standing.is_done()).then_some(())
            }),
        );
        if quiet.await.is_err() {
            let debtors = self.faces.iter().filter(|face| !face.standing.is_done());
            return debtors.map(|face| format!("{} is not done: {:?}", face.id, face.standing)).collect();
        }
        let heads = join_all(self.sessions.iter().map(|session| self.head(session))).await;
        let has_all = |face: &Face| {
            matches!(face.standing.phase(), Phase::Ended(_))
                || heads[face.session].is_none_or(|head| face.standing.at() >= head)
        };
        let level = tokio::time::timeout_at(
            end,
            wait::until_within(within * 2, "everybody to have everything", || async {
                self.faces.iter().all(has_all).then_some(())
            }),
        );
        if level.await.is_err() {
            let behind = self.faces.iter().filter(|face| !has_all(face));
            return behind
                .map(|face| {
                    format!("{} lacks entries: {:?} of {:?}", face.id, face.standing, heads[face.session])
                })
                .collect();
        }
        Vec::new()
    }

    /// Everybody goes.
    pub(crate) async fn disperse(&mut self) {
        self.stage.send_replace(Stage::Over);
        while let Some(ended) = self.members.join_next().await {
            ended.expect("a client ends, it does not panic");
        }
    }

    /// Reads every log to its end; none for a session that is gone.
    pub(crate) async fn read_logs(&self, world: &World) -> FinalLogs {
        let read = self.sessions.iter().map(|session| async move {
            (
                happening::Session(uuid(&session.id)),
                self.read_log(session, world.keeper_of(&session.id).await).await,
            )
        });
        join_all(read).await.into_iter().collect()
    }

    async fn read_log(&self, session: &Session, redis: &RedisServer) -> Option<FinalLog> {
        let mut log = FinalLog {
            epoch: Epoch(Uuid::nil()),
            head: Seq(0),
            lineage: lineage(session, redis).await,
            entries: Vec::new(),
            host: Participant(uuid(&session.host)),
            max_participants: session.seats,
        };
        loop {
            let after = log.entries.last().map_or(0, |entry: &Entry| entry.at.seq.0);
            let page = self.page(session, &format!("?after={after}&limit=256")).await?;
            (log.epoch, log.head) = (Epoch(page.epoch), Seq(page.head));
            for text in &page.entries {
                let frame: Value = serde_json::from_str(text.get()).expect("a page is JSON");
                let entry = journal::entry(log.epoch, &frame, text.get());
                log.entries.push(entry.unwrap_or_else(|| panic!("no entry of the protocol: {text}")));
            }
            if page.entries.is_empty() || log.entries.last().is_some_and(|entry| entry.at.seq >= log.head) {
                // Turns of the epoch under way would make earlier pages another epoch's: a settled log does not turn.
                log.entries.iter_mut().for_each(|entry| entry.at.epoch = log.epoch);
                return Some(log);
            }
        }
    }

    async fn head(&self, session: &Session) -> Option<u64> {
        Some(self.page(session, "?limit=1").await?.head)
    }

    /// A page of the log; none when there is no such session.
    async fn page(&self, session: &Session, query: &str) -> Option<LogPage> {
        let path = format!("/api/sessions/{}/messages{query}", session.id);
        wait::until("a page of the log", || async {
            for addr in self.addresses.iter() {
                match Question::get(*addr, &path, Some(&session.token)).told(PATIENCE).await {
                    Some((200, page)) => return Some(serde_json::from_str(&page).ok()),
                    Some((404, _)) => return Some(None),
                    _ => {}
                }
            }
            None
        })
        .await
    }
}

/// What `GET …/messages` answers; entries as the text they are.
#[derive(Deserialize)]
struct LogPage {
    epoch: Uuid,
    head: u64,
    entries: Vec<Box<RawValue>>,
}

/// The older epochs of a log, each with the last number of it that the next one took over, as Redis keeps them (`DELIVERY`, key `s`, field `l`).
async fn lineage(session: &Session, redis: &RedisServer) -> Vec<(Epoch, Seq)> {
    let marks = redis.cli(&["HGET", &format!("wp:{{{}}}:s", session.id), "l"]).await;
    let read = |mark: &str| {
        let (epoch, last) = mark.split_once('=').expect("epoch=last");
        (Epoch(uuid(epoch)), Seq(last.parse().expect("a number")))
    };
    marks.split_whitespace().map(read).collect()
}
