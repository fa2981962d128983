//! Hashing and checking session passwords with bcrypt, on a pool of our own that cannot be flooded.
//!
//! Responsible for the bound on this work, and for an unknown session costing as much as a wrong password. Not
//! responsible for which texts are passwords (`model::password`) nor for limiting who asks (the limiter runs before).
//!
//! Own threads, because tokio's blocking pool grows to 512 threads and queues without bound: cost 12 is about 0.3 s
//! of a core, so a crowd of joins would starve the sockets of this node. Here `workers` threads at most are busy and
//! `queue` jobs at most wait; the next caller is refused at once and may come back later.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io, thread};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::model::id::TokenId;
use crate::model::password::Password;

/// The size of the pool; each field is a setting (`BCRYPT_COST`, `BCRYPT_WORKERS`, `BCRYPT_QUEUE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// bcrypt's cost, the base-2 logarithm of its rounds: 4-31.
    pub cost: u32,
    /// Threads, each busy with one password at a time; at least 1.
    pub workers: usize,
    /// Jobs that may wait for a thread; over, [`PasswordError::Busy`].
    pub queue: usize,
}

/// Told what the pool does, from its callers' and its own threads. The metrics implement it; `()` ignores all.
pub trait PoolObserver: Send + Sync + 'static {
    /// A job was queued.
    fn queued(&self) {}
    /// A job left the queue, to be worked on or, if its caller is gone, to be dropped.
    fn begun(&self) {}
    /// A hash or check is done and took this long, waiting excluded.
    fn finished(&self, _took: Duration) {}
}

impl PoolObserver for () {}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full: come back later (503 with `Retry-After`).
    #[error("too many passwords are being checked")]
    Busy,
    /// The work itself failed: no randomness, a stored hash that is none, or a thread that died. A bug or a broken record.
    #[error("the password could not be hashed or checked")]
    Failed,
}

/// Why the pool did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cost is outside 4-31, or the system gave no randomness.
    #[error("bcrypt refused to hash: {0}")]
    Hash(#[from] bcrypt::BcryptError),
    /// The system gave no thread.
    #[error("no thread for hashing passwords: {0}")]
    Thread(#[from] io::Error),
}

/// Either way of work; a check carries the hash to compare with.
enum Work {
    Hash { cost: u32 },
    Verify { hash: Arc<str> },
}

/// What comes back from the thread.
enum Outcome {
    Hashed(String),
    Verified(bool),
}

struct Job {
    password: Password,
    work: Work,
    reply: oneshot::Sender<Result<Outcome, PasswordError>>,
}

/// The pool. Share it in an `Arc`; its threads end, after the jobs still awaited, once it is dropped.
pub struct PasswordPool {
    jobs: SyncSender<Job>,
    threads: Vec<JoinHandle<()>>,
    observer: Arc<dyn PoolObserver>,
    /// What an unknown session's password is checked against: same cost, so same time.
    dummy: Arc<str>,
    cost: u32,
}

impl PasswordPool {
    /// Starts the threads and computes the dummy hash, which takes as long as one join.
    ///
    /// # Errors
    /// [`StartError`] if the cost is impossible or the system gives no thread or no randomness.
    pub fn start(size: PoolSize, observer: Arc<dyn PoolObserver>) -> Result<Self, StartError> {
        // Nobody knows this text, and a check against it is answered "no" whatever bcrypt says.
        let dummy = bcrypt::non_truncating_hash(TokenId::new_random().to_string(), size.cost)?.into();
        let (jobs, waiting) = sync_channel(size.queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let threads = (0..size.workers.max(1))
            .map(|number| {
                let (waiting, observer) = (Arc::clone(&waiting), Arc::clone(&observer));
                thread::Builder::new()
                    .name(format!("password-{number}"))
                    .spawn(move || work_until_closed(&waiting, &*observer))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { jobs, threads, observer, dummy, cost: size.cost })
    }

    /// Hashes a new session's password: 60 characters in bcrypt's `$2b$` form, salt included.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] at once if the queue is full; [`PasswordError::Failed`] if the system gave no randomness.
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        match self.run(password, Work::Hash { cost: self.cost }).await? {
            Outcome::Hashed(hash) => Ok(hash),
            Outcome::Verified(_) => Err(PasswordError::Failed),
        }
    }

    /// Whether the password is the one behind the hash. `None` stands for an unknown session: the same work, then `false`.
    ///
    /// The times are equal as long as the stored hash has the present cost; sessions from before a change of
    /// `BCRYPT_COST` take their own time until they expire.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] at once if the queue is full; [`PasswordError::Failed`] if the stored hash is none.
    pub async fn verify(&self, password: Password, hash: Option<&str>) -> Result<bool, PasswordError> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        match self.run(password, Work::Verify { hash }).await? {
            Outcome::Verified(matches) => Ok(matches & known),
            Outcome::Hashed(_) => Err(PasswordError::Failed),
        }
    }

    /// Waits until the jobs still awaited are done and all threads have ended. Blocks: not for a runtime's thread.
    pub fn close(self) {
        drop(self.jobs);
        for thread in self.threads {
            // A thread that panicked has already failed its caller, and there is nothing left to undo.
            if thread.join().is_err() {
                tracing::error!("a password thread had panicked");
            }
        }
    }

    async fn run(&self, password: Password, work: Work) -> Result<Outcome, PasswordError> {
        let (reply, answer) = oneshot::channel();
        // Counted before it is sent, or a fast thread could count it out first and the gauge would dip below zero.
        self.observer.queued();
        if let Err(refused) = self.jobs.try_send(Job { password, work, reply }) {
            self.observer.begun();
            return Err(match refused {
                TrySendError::Full(_) => PasswordError::Busy,
                TrySendError::Disconnected(_) => PasswordError::Failed,
            });
        }
        answer.await.unwrap_or(Err(PasswordError::Failed))
    }
}

impl fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPool")
            .field("cost", &self.cost)
            .field("workers", &self.threads.len())
            .finish()
    }
}

/// One thread's life: a job at a time until the pool is dropped and the queue is empty.
fn work_until_closed(jobs: &Mutex<Receiver<Job>>, observer: &dyn PoolObserver) {
    loop {
        // The lock is held while waiting and given up before working; nobody can poison it meaningfully.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { password, work, reply }) = job else { return };
        observer.begun();
        if reply.is_closed() {
            // The caller went away while this waited: its 0.3 s go to somebody who is still there.
            continue;
        }
        let started = Instant::now();
        // A panic over one broken record must not cost a thread, or a few such records would end all joins.
        let outcome = catch_unwind(AssertUnwindSafe(|| perform(&password, &work)));
        observer.finished(started.elapsed());
        // An error here means that the caller has gone in the meantime: nobody is left to tell.
        let _ = reply.send(outcome.unwrap_or(Err(PasswordError::Failed)));
    }
}

fn perform(password: &Password, work: &Work) -> Result<Outcome, PasswordError> {
    let outcome = match work {
        Work::Hash { cost } => bcrypt::non_truncating_hash(password.expose(), *cost).map(Outcome::Hashed),
        Work::Verify { hash } => {
            bcrypt::non_truncating_verify(password.expose(), hash).map(Outcome::Verified)
        }
    };
    outcome.map_err(|error| {
        // bcrypt's errors speak of formats and lengths, never of the password or the hash.
        tracing::error!(%error, "bcrypt failed");
        PasswordError::Failed
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use super::*;

    /// The cheapest cost bcrypt knows: the tests are about the pool.
    const COST: u32 = 4;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    fn pool(workers: usize, queue: usize, observer: Arc<dyn PoolObserver>) -> PasswordPool {
        PasswordPool::start(PoolSize { cost: COST, workers, queue }, observer).unwrap()
    }

    /// Counts, and holds each thread in `begun` until the test lets it go.
    struct Gate {
        arrived: tokio::sync::mpsc::Sender<()>,
        open: Mutex<Receiver<()>>,
        waiting: AtomicI64,
        finished: AtomicUsize,
    }

    impl PoolObserver for Gate {
        fn queued(&self) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }

        fn begun(&self) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            // Only the pool's own threads are held: a refused caller passes through here too.
            if thread::current().name().is_some_and(|name| name.starts_with("password-")) {
                self.arrived.blocking_send(()).unwrap();
                self.open.lock().unwrap().recv().unwrap();
            }
        }

        fn finished(&self, _took: Duration) {
            self.finished.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn gate() -> (Arc<Gate>, tokio::sync::mpsc::Receiver<()>, SyncSender<()>) {
        let (arrived, arrivals) = tokio::sync::mpsc::channel(8);
        let (opener, open) = sync_channel(8);
        let (waiting, finished) = (AtomicI64::new(0), AtomicUsize::new(0));
        (Arc::new(Gate { arrived, open: Mutex::new(open), waiting, finished }), arrivals, opener)
    }

    #[tokio::test]
    async fn the_right_password_and_no_other_is_accepted() {
        let pool = pool(2, 4, Arc::new(()));
        let longest = "é".repeat(35) + "x";
        for text in ["secret", "🎬🍿🎬", longest.as_str()] {
            let hash = pool.hash(password(text)).await.unwrap();
            assert!(hash.starts_with("$2b$04$"), "{hash}");
            assert_eq!(pool.verify(password(text), Some(&hash)).await, Ok(true));
            assert_eq!(pool.verify(password("Secret"), Some(&hash)).await, Ok(false));
        }
        let hash = pool.hash(password(&longest)).await.unwrap();
        let almost = "é".repeat(35) + "y";
        assert_eq!(pool.verify(password(&almost), Some(&hash)).await, Ok(false), "the 71st byte counts");
    }

    #[tokio::test]
    async fn row_a8_an_unknown_session_costs_a_real_check_and_is_refused() {
        let (gate, mut arrivals, opener) = gate();
        let pool = pool(1, 1, gate.clone());
        opener.send(()).unwrap();
        assert_eq!(pool.verify(password("secret"), None).await, Ok(false));
        arrivals.recv().await.unwrap();
        assert_eq!(gate.finished.load(Ordering::SeqCst), 1, "bcrypt ran");
        let cost: u32 = pool.dummy.parse::<bcrypt::HashParts>().unwrap().get_cost();
        assert_eq!(cost, COST, "the dummy costs what a session's hash costs");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_a_cancelled_caller_is_skipped() {
        let (gate, mut arrivals, opener) = gate();
        let pool = Arc::new(pool(1, 1, gate.clone()));
        let check = || {
            let pool = Arc::clone(&pool);
            async move { pool.verify(password("secret"), None).await }
        };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(check());
        arrivals.recv().await.unwrap();

        // The one thread is held, so this one waits; polling it once queues it.
        let mut second = Box::pin(check());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(gate.waiting.load(Ordering::SeqCst), 1);
        assert_eq!(check().await, Err(PasswordError::Busy));
        assert_eq!(gate.waiting.load(Ordering::SeqCst), 1, "a refused job does not count as waiting");

        drop(second);
        opener.send(()).unwrap();
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), Ok(false));
        arrivals.recv().await.unwrap();
        opener.send(()).unwrap();
        tasks.spawn(check());
        arrivals.recv().await.unwrap();
        opener.send(()).unwrap();
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), Ok(false));
        assert_eq!(gate.finished.load(Ordering::SeqCst), 2, "the cancelled check was never worked on");
        assert_eq!(gate.waiting.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_broken_record_fails_its_caller_and_leaves_the_pool_whole() {
        let pool = pool(1, 1, Arc::new(()));
        for hash in ["", "plain", "$2b$04$", &"é".repeat(30)] {
            assert_eq!(
                pool.verify(password("secret"), Some(hash)).await,
                Err(PasswordError::Failed),
                "{hash:?}"
            );
        }
        assert_eq!(pool.verify(password("secret"), None).await, Ok(false));
    }

    #[test]
    fn the_threads_end_with_the_pool() {
        let observer: Arc<dyn PoolObserver> = Arc::new(());
        let pool = pool(3, 1, Arc::clone(&observer));
        assert_eq!(pool.threads.len(), 3);
        pool.close();
        assert_eq!(Arc::strong_count(&observer), 1, "no thread holds it any more");
    }

    #[test]
    fn an_impossible_cost_is_refused_at_start() {
        let size = PoolSize { cost: 3, workers: 1, queue: 1 };
        assert!(matches!(PasswordPool::start(size, Arc::new(())), Err(StartError::Hash(_))));
    }
}
