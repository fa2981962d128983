//! Token buckets: burst, refill, questions, one bucket for all nodes.

use std::time::Duration;

use watchparty::backend::limiter::{Decision, Limiter, Scope};
use watchparty::model::id::SessionId;
use watchparty::model::rate::Rate;

use crate::harness::{Harness, until};

const HOUR: Duration = Duration::from_secs(3600);
/// Does not fill during a case.
const SLOW: Rate = Rate { count: 1, per: HOUR, burst: 5 };

/// A key nobody else uses.
fn key() -> String {
    SessionId::new_random().to_string()
}

async fn take(harness: &Harness, key: &str, tokens: u32) -> Decision {
    harness.node.backend.limiter.take(Scope::Join, key, SLOW, tokens).await
}

/// An hour for each missing token, less what the case has taken so far.
fn about(hours: u64, ms: u64) -> bool {
    (hours * 3_600_000 - 60_000..=hours * 3_600_000).contains(&ms)
}

pub(crate) async fn a_bucket_starts_full_and_ends_at_its_burst(harness: &Harness) {
    let key = key();
    for left in [4, 3, 2, 1, 0] {
        let decision = take(harness, &key, 1).await;
        assert_eq!((decision.allowed, decision.remaining, decision.retry_after_ms), (true, left, 0));
        assert!(about(u64::from(5 - left), decision.reset_ms), "{decision:?}");
    }
    let refused = take(harness, &key, 1).await;
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert!(about(1, refused.retry_after_ms) && about(5, refused.reset_ms), "{refused:?}");
}

pub(crate) async fn a_refusal_and_a_question_take_nothing(harness: &Harness) {
    let key = key();
    let ask = take(harness, &key, 0).await;
    assert_eq!(ask, Decision { allowed: true, remaining: 5, retry_after_ms: 0, reset_ms: 0, outage: false });
    assert_eq!(take(harness, &key, 3).await.remaining, 2);
    let refused = take(harness, &key, 4).await;
    assert_eq!((refused.allowed, refused.remaining), (false, 2));
    assert!(about(2, refused.retry_after_ms) && about(3, refused.reset_ms), "{refused:?}");
    let ask = take(harness, &key, 0).await;
    assert_eq!((ask.allowed, ask.remaining, ask.retry_after_ms), (true, 2, 0));
    assert!(about(3, ask.reset_ms), "{ask:?}");
    assert!(take(harness, &key, 2).await.allowed, "what a refusal left is there");
    assert!(take(harness, &key, 0).await.allowed, "a question is always allowed");
}

pub(crate) async fn a_bucket_fills_again(harness: &Harness) {
    let (limiter, key) = (&harness.node.backend.limiter, key());
    let rate = Rate { count: 20, per: Duration::from_secs(1), burst: 3 };
    assert!(limiter.take(Scope::Publish, &key, rate, 3).await.allowed);
    let refused = limiter.take(Scope::Publish, &key, rate, 3).await;
    assert!(!refused.allowed && (1..=150).contains(&refused.retry_after_ms), "{refused:?}");
    harness.pass(Duration::from_millis(refused.retry_after_ms)).await;
    until("three tokens", || async {
        limiter.take(Scope::Publish, &key, rate, 3).await.allowed.then_some(())
    })
    .await;
    harness.pass(Duration::from_millis(400)).await;
    let full = until("a full bucket", || async {
        Some(limiter.take(Scope::Publish, &key, rate, 0).await).filter(|asked| asked.reset_ms == 0)
    })
    .await;
    assert_eq!(full.remaining, 3, "never above its burst");
}

pub(crate) async fn scopes_and_keys_are_apart(harness: &Harness) {
    let (limiter, one, two) = (&harness.node.backend.limiter, key(), key());
    for scope in Scope::ALL {
        for key in [&one, &two] {
            assert!(limiter.take(scope, key, SLOW, 5).await.allowed, "{scope:?} {key}");
            assert!(!limiter.take(scope, key, SLOW, 1).await.allowed, "{scope:?} {key}");
        }
    }
}

pub(crate) async fn a_bucket_is_one_on_every_node(harness: &Harness) {
    let (other, key) = (harness.another().await, key());
    let limiters = [&harness.node.backend.limiter, &other.backend.limiter];
    let mut allowed = 0;
    for at in 0..10 {
        let limiter = limiters[at % 2];
        allowed += u32::from(Limiter::take(&**limiter, Scope::Join, &key, SLOW, 1).await.allowed);
    }
    assert_eq!(allowed, SLOW.burst);
    for limiter in limiters {
        assert_eq!(limiter.take(Scope::Join, &key, SLOW, 0).await.remaining, 0);
    }
}

pub(crate) async fn more_than_the_burst_is_never_there(harness: &Harness) {
    let key = key();
    let refused = take(harness, &key, 6).await;
    assert!(!refused.allowed && refused.retry_after_ms > 0, "{refused:?}");
    assert_eq!(take(harness, &key, 5).await.remaining, 0, "it took nothing");
}
