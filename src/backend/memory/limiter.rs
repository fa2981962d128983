//! Token buckets of this process, on governor.
//!
//! Responsible for the whole of the limiter in memory, and for what the redis adapter asks before its script and instead of it. Not
//! responsible for which rate applies. governor takes and refuses but cannot be asked without taking, nor say when a bucket is full
//! again; a state store that can run its decision without keeping the result gives both.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};

use crate::backend::clock::ClusterClock;
use crate::backend::limiter::{Decision, Limiter, Scope};
use crate::model::rate::Rate;
use crate::model::time::millis;

/// Buckets of one scope that are remembered apart, about 100 bytes each. Beyond it new keys share one bucket until the next sweep: a
/// flood from very many addresses can neither fill the memory nor go unlimited.
pub const KEYS_KEPT: usize = 100_000;

/// The bucket that keys share when there are too many. No real key is empty.
const SHARED_KEY: &str = "";

/// Token buckets by scope and key.
pub struct LocalLimiter {
    time: Elapsed,
    keys_kept: usize,
    /// One set for each scope and rate asked for: as many as the settings name.
    sets: RwLock<Vec<(Scope, Rate, Arc<Set>)>>,
}

/// The buckets of one scope and rate.
struct Set {
    buckets: RateLimiter<Ask, Buckets, Elapsed, NoOpMiddleware<Nanos>>,
    refill: Duration,
    burst: NonZeroU32,
    /// A handle to the same buckets, to count them.
    keys: Buckets,
}

/// Time since some fixed moment.
#[derive(Clone)]
struct Elapsed(Arc<dyn Fn() -> Duration + Send + Sync>);

/// Which bucket, and whether a positive answer takes the tokens.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Ask {
    key: String,
    take: bool,
}

/// governor's own store, with questions that leave no trace.
#[derive(Clone)]
struct Buckets(Arc<HashMapStateStore<String>>);

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalLimiter {
    /// Buckets that fill by this process's monotonic clock.
    #[must_use]
    pub fn new() -> Self {
        let clock = DefaultClock::default();
        let start = clock.now();
        Self::with_time(Elapsed(Arc::new(move || clock.now().duration_since(start).into())))
    }

    /// Buckets that fill by the cluster's clock.
    #[must_use]
    pub fn on(clock: Arc<ClusterClock>) -> Self {
        Self::with_time(Elapsed(Arc::new(move || Duration::from_millis(clock.now().0))))
    }

    fn with_time(time: Elapsed) -> Self {
        Self { time, keys_kept: KEYS_KEPT, sets: RwLock::default() }
    }

    /// Forgets full buckets, which are as good as new. Call it each minute.
    pub fn sweep(&self) {
        for (_, _, set) in self.sets.read().unwrap_or_else(PoisonError::into_inner).iter() {
            set.buckets.retain_recent();
            set.buckets.shrink_to_fit();
        }
    }

    /// Takes `tokens` from the bucket of `key`, as [`Limiter::take`] does, without a future. More tokens than the bucket can ever hold
    /// are refused for ever: `retry_after_ms` is [`u64::MAX`].
    #[must_use]
    pub fn take_now(&self, scope: Scope, key: &str, rate: Rate, tokens: u32) -> Decision {
        self.set(scope, rate).take(key, tokens, self.keys_kept)
    }

    fn set(&self, scope: Scope, rate: Rate) -> Arc<Set> {
        let find = |sets: &[(Scope, Rate, Arc<Set>)]| {
            sets.iter().find(|set| (set.0, set.1) == (scope, rate)).map(|set| Arc::clone(&set.2))
        };
        if let Some(set) = find(&self.sets.read().unwrap_or_else(PoisonError::into_inner)) {
            return set;
        }
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        find(&sets).unwrap_or_else(|| {
            let set = Arc::new(Set::new(rate, self.time.clone()));
            sets.push((scope, rate, Arc::clone(&set)));
            set
        })
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn take(&self, scope: Scope, key: &str, rate: Rate, tokens: u32) -> Decision {
        self.take_now(scope, key, rate, tokens)
    }
}

impl Set {
    fn new(rate: Rate, time: Elapsed) -> Self {
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        let refill = (rate.per / rate.count.max(1)).max(Duration::from_nanos(1));
        let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        let keys = Buckets(Arc::new(HashMapStateStore::new(HashMap::default())));
        Self { buckets: RateLimiter::new(quota, keys.clone(), time), refill, burst, keys }
    }

    fn take(&self, key: &str, tokens: u32, keys_kept: usize) -> Decision {
        let key = if self.keys.is_full_for(key, keys_kept) { SHARED_KEY } else { key };
        let taken = NonZeroU32::new(tokens).map(|tokens| {
            let taken = self.buckets.check_key_n(&Ask { key: key.to_owned(), take: true }, tokens);
            matches!(taken, Ok(Ok(())))
        });
        let until_full = self.until_full(key);
        let capacity = self.refill * self.burst.get();
        let free = capacity.saturating_sub(until_full);
        let needed = self.refill.saturating_mul(tokens);
        let allowed = taken.unwrap_or(true);
        Decision {
            allowed,
            remaining: whole(free, self.refill),
            retry_after_ms: match allowed {
                true => 0,
                false if tokens > self.burst.get() => u64::MAX,
                false => millis_up(needed.saturating_sub(free)),
            },
            reset_ms: millis_up(until_full),
            outage: false,
        }
    }

    /// How long until the bucket is full: how long one would wait for all of its tokens.
    fn until_full(&self, key: &str) -> Duration {
        let now = self.buckets.clock().now();
        match self.buckets.check_key_n(&Ask { key: key.to_owned(), take: false }, self.burst) {
            Ok(Err(not_yet)) => not_yet.wait_time_from(now),
            Ok(Ok(())) | Err(_) => Duration::ZERO,
        }
    }
}

impl Clock for Elapsed {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        (self.0)().into()
    }
}

impl Buckets {
    fn is_full_for(&self, key: &str, keys_kept: usize) -> bool {
        let keys = self.0.lock();
        keys.len() >= keys_kept && !keys.contains_key(key)
    }
}

impl StateStore for Buckets {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if ask.take {
            return self.0.measure_and_replace(&ask.key, decide);
        }
        // What is refused is not kept: the decision is carried out in the refusal.
        let asked: Result<(), _> = self.0.measure_and_replace(&ask.key, |state| Err(decide(state)));
        match asked {
            Err(decided) => decided.map(|(answer, _)| answer),
            Ok(()) => decide(None).map(|(answer, _)| answer),
        }
    }
}

impl ShrinkableKeyedStateStore<Ask> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many whole steps fit.
fn whole(time: Duration, step: Duration) -> u32 {
    u32::try_from(time.as_nanos() / step.as_nanos().max(1)).unwrap_or(u32::MAX)
}

/// Milliseconds, rounded up: who waits that long does not come early.
fn millis_up(duration: Duration) -> u64 {
    millis(duration.saturating_add(Duration::from_nanos(999_999)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A limiter with a hand to turn its clock.
    fn limiter(keys_kept: usize) -> (LocalLimiter, impl Fn(u64)) {
        let now = Arc::new(Mutex::new(Duration::from_secs(1_000_000)));
        let (read, turn) = (Arc::clone(&now), now);
        let time = Elapsed(Arc::new(move || *read.lock().unwrap()));
        let limiter = LocalLimiter { keys_kept, ..LocalLimiter::with_time(time) };
        (limiter, move |ms| *turn.lock().unwrap() += Duration::from_millis(ms))
    }

    /// Two a second, five at once.
    const RATE: Rate = Rate { count: 2, per: Duration::from_secs(1), burst: 5 };

    fn decision(allowed: bool, remaining: u32, retry_after_ms: u64, reset_ms: u64) -> Decision {
        Decision { allowed, remaining, retry_after_ms, reset_ms, outage: false }
    }

    #[test]
    fn the_numbers_follow_the_bucket() {
        let (limiter, pass) = limiter(10);
        let take = |tokens| limiter.take_now(Scope::Join, "a", RATE, tokens);
        assert_eq!(take(0), decision(true, 5, 0, 0), "starts full");
        assert_eq!(take(2), decision(true, 3, 0, 1000));
        assert_eq!(take(4), decision(false, 3, 500, 1000), "a refusal takes nothing");
        assert_eq!(take(3), decision(true, 0, 0, 2500));
        assert_eq!(take(0), decision(true, 0, 0, 2500), "asking takes nothing");
        pass(300);
        assert_eq!(take(1), decision(false, 0, 200, 2200));
        pass(200);
        assert_eq!(take(1), decision(true, 0, 0, 2500));
        pass(60_000);
        assert_eq!(take(0), decision(true, 5, 0, 0), "never above its burst");
        assert_eq!(take(6), decision(false, 5, u64::MAX, 0), "never possible");
    }

    #[test]
    fn buckets_are_apart_by_scope_and_key() {
        let (limiter, _) = limiter(10);
        assert!(limiter.take_now(Scope::Join, "a", RATE, 5).allowed);
        assert!(!limiter.take_now(Scope::Join, "a", RATE, 1).allowed);
        assert!(limiter.take_now(Scope::Join, "b", RATE, 5).allowed);
        assert!(limiter.take_now(Scope::Lookup, "a", RATE, 5).allowed);
    }

    #[test]
    fn too_many_keys_share_a_bucket_until_full_ones_are_swept() {
        let (limiter, pass) = limiter(2);
        for key in ["a", "b", "c"] {
            assert!(limiter.take_now(Scope::Join, key, RATE, 5).allowed, "{key}");
        }
        assert!(!limiter.take_now(Scope::Join, "d", RATE, 1).allowed, "d shares with c");
        assert_eq!(limiter.set(Scope::Join, RATE).buckets.len(), 3, "two and the shared one");
        pass(2400);
        limiter.sweep();
        assert!(!limiter.take_now(Scope::Join, "a", RATE, 5).allowed, "not full yet, not forgotten");
        pass(60_000);
        limiter.sweep();
        assert!(limiter.set(Scope::Join, RATE).buckets.is_empty());
        assert!(limiter.take_now(Scope::Join, "d", RATE, 5).allowed);
    }
}
