//! The port of token buckets on Redis, with a bucket of the same size on the node in front and behind.
//!
//! In front: what the node's own bucket refuses is refused without asking, so a flood costs Redis nothing. Behind: when Redis does not answer
//! in 250 ms, the node's own bucket has decided already, or nothing is granted, as `RATE_LIMIT_ON_OUTAGE` says. Never unlimited.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use super::reply::Reply;
use super::scripts::{self, Call};
use super::settings::OnOutage;
use crate::backend::error::BackendError;
use crate::backend::limiter::{Decision, Limiter, Scope};
use crate::model::rate::Rate;

/// How long the shared bucket may take to answer (`OPERATIONS`, `RATE_LIMIT_ON_OUTAGE`).
const PATIENCE: Duration = Duration::from_millis(250);
/// What someone is told who was denied because Redis is away: the time its links need to notice and come back.
const DENIED_RETRY: Duration = Duration::from_secs(2);

/// Shared buckets.
pub(super) struct RedisLimiter {
    pub(super) shared: Arc<Shared>,
    /// The node's own.
    pub(super) local: Arc<dyn Limiter>,
    pub(super) on_outage: OnOutage,
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take(&self, scope: Scope, key: &str, rate: Rate, tokens: u32) -> Decision {
        let own = self.local.take(scope, key, rate, tokens).await;
        if !own.allowed {
            return own;
        }
        match tokio::time::timeout(PATIENCE, self.ask(scope, key, rate, tokens)).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(error)) => self.alone(own, &error.to_string()),
            Err(_) => self.alone(own, "no answer in time"),
        }
    }
}

impl RedisLimiter {
    async fn ask(&self, scope: Scope, key: &str, rate: Rate, tokens: u32) -> Result<Decision, BackendError> {
        let key = self.shared.keys.bucket(scope, key);
        let each = rate.per.as_secs_f64() * 1e6 / f64::from(rate.count.max(1));
        let call =
            Call::new(&scripts::BUCKET, std::slice::from_ref(&key)).arg(each).arg(rate.burst).arg(tokens);
        let mut reply = Reply::array(self.shared.routes.run_at(&key, call).await?)?;
        let allowed = reply.next_number()? == 1;
        let remaining = u32::try_from(reply.next_number()?).unwrap_or(u32::MAX);
        let (retry_after_ms, reset_ms) = (reply.next_number()?, reply.next_number()?);
        Ok(Decision { allowed, remaining, retry_after_ms, reset_ms, outage: false })
    }

    fn alone(&self, own: Decision, why: &str) -> Decision {
        tracing::debug!(error = why, "a shared bucket did not answer");
        match self.on_outage {
            OnOutage::Allow => {
                self.shared.meters.alone_allowed.increment(1);
                own
            }
            OnOutage::Deny => {
                self.shared.meters.alone_denied.increment(1);
                let retry_after_ms = crate::model::time::millis(DENIED_RETRY);
                Decision {
                    allowed: false,
                    remaining: 0,
                    retry_after_ms,
                    reset_ms: retry_after_ms,
                    outage: true,
                }
            }
        }
    }
}
