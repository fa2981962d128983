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
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::asking::Question;
use crate::journal::Journal;
use crate::support::mint::{Mint, random_uuid};
use crate::support::node::SECRET;
use crate::support::wait;
use member::{Habit, Member, Persona, Provision, Stage};
use standing::{Phase, Standing};

/// How long one question over HTTP may take.
const PATIENCE: Duration = Duration::from_secs(10);

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
        Shape { sessions: 20, publishers: 3, listeners: 8, visitors: 2, rate, seats: 50, habit: Habit::default() }
    }

    /// A load for a debug build on a busy machine.
    pub(crate) fn small() -> Shape {
        Shape { sessions: 4, listeners: 3, visitors: 1, publishers: 2, rate: 40, seats: 50, habit: Habit::default() }
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
}

impl Session {
    /// Created through a node.
    pub(crate) async fn found(addr: SocketAddr, seats: u32) -> Session {
        wait::until("a session to be created", || async move {
            let body = json!({"name": "Chaos night", "password": "popcorn", "max_participants": seats});
            let path = "/api/sessions/create";
            let question = Question { addr, method: "POST", path, token: None, body: Some(body) };
            let (status, body) = question.ask(PATIENCE).await?;
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            (status == 201).then_some(())?;
            Some(Session { id: text("id")?, host: text("participant_id")?, token: text("token")? })
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
    pub(crate) token: String,
    pub(crate) standing: Arc<Standing>,
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
    /// Creates the sessions and lets everybody in; all are seated when this returns.
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
            journal.session(&session.id, shape.seats);
            crowd.sessions.push(session);
            for (who, habit) in shape.habits().into_iter().enumerate() {
                crowd.admit(at, who == 0, habit);
            }
        }
        crowd.all_seated().await;
        crowd
    }

    /// Lets one more in.
    pub(crate) fn admit(&mut self, session: usize, is_host: bool, habit: Habit) {
        let persona = self.sessions[session].persona(is_host, habit, self.rng.u64(..));
        let standing = Arc::new(Standing::default());
        let (id, token) = (persona.id.clone(), persona.token.clone());
        self.faces.push(Face { session, id, token, standing: standing.clone() });
        let voice = self.journal.voice(&persona.session, &persona.id);
        let stage = self.stage.subscribe();
        let provision = Provision { addresses: self.addresses.clone(), voice, standing, stage };
        self.members.spawn(Member::new(persona, provision).live());
    }

    /// Waits until everybody sits.
    pub(crate) async fn all_seated(&self) {
        wait::until("everybody to be seated", || async {
            let seated = |face: &Face| face.standing.phase() != Phase::Away;
            self.faces.iter().all(seated).then_some(())
        })
        .await;
    }

    /// Waits until everybody has said their last word, everything is acked, and everybody has all of the log. Who is not done within the
    /// time, and why.
    pub(crate) async fn settle(&self, within: Duration) -> Vec<String> {
        let end = Instant::now() + within;
        self.stage.send_replace(Stage::Hush);
        let quiet = tokio::time::timeout_at(end, wait::until_within(within * 2, "silence", || async {
            self.faces.iter().all(|face| face.standing.is_done()).then_some(())
        }));
        if quiet.await.is_err() {
            let debtors = self.faces.iter().filter(|face| !face.standing.is_done());
            return debtors.map(|face| format!("{} is not done: {:?}", face.id, face.standing)).collect();
        }
        let heads = join_all(self.sessions.iter().map(|session| self.head(session))).await;
        let has_all = |face: &Face| {
            matches!(face.standing.phase(), Phase::Ended(_))
                || heads[face.session].is_none_or(|head| face.standing.at() >= head)
        };
        let level = tokio::time::timeout_at(end, wait::until_within(within * 2, "everybody to have everything", || async {
            self.faces.iter().all(has_all).then_some(())
        }));
        if level.await.is_err() {
            let behind = self.faces.iter().filter(|face| !has_all(face));
            return behind
                .map(|face| format!("{} lacks entries: {:?} of {:?}", face.id, face.standing, heads[face.session]))
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

    /// Reads every log to its end into the journal. Answers the sessions that are gone.
    pub(crate) async fn read_logs(&self) -> usize {
        let read = join_all(self.sessions.iter().map(|session| self.read_log(session))).await;
        read.into_iter().filter(|found| !found).count()
    }

    async fn read_log(&self, session: &Session) -> bool {
        let mut after = 0;
        loop {
            let Some(page) = self.page(session, &format!("?after={after}&limit=256")).await else {
                return false;
            };
            let entries = page["entries"].as_array().cloned().unwrap_or_default();
            self.journal.log(&session.id, &page, &entries);
            after = entries.last().and_then(|entry| entry["seq"].as_u64()).unwrap_or(after);
            if entries.is_empty() || page["head"].as_u64().is_none_or(|head| head <= after) {
                return true;
            }
        }
    }

    async fn head(&self, session: &Session) -> Option<u64> {
        self.page(session, "?limit=1").await?["head"].as_u64()
    }

    /// A page of the log; none when there is no such session.
    async fn page(&self, session: &Session, query: &str) -> Option<Value> {
        let path = format!("/api/sessions/{}/messages{query}", session.id);
        wait::until("a page of the log", || async {
            for addr in self.addresses.iter() {
                match Question::get(*addr, &path, Some(&session.token)).ask(PATIENCE).await {
                    Some((200, page)) => return Some(Some(page)),
                    Some((404, _)) => return Some(None),
                    _ => {}
                }
            }
            None
        })
        .await
    }
}
