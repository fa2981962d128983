//! Token buckets in front of routes, by the client's address: taken before a body is read, let alone a password hashed.
//!
//! Which bucket a route takes from is written beside it in the router. Servers with a key are not counted. Every answer of a
//! limited route says how it stands, in the fields of draft-ietf-httpapi-ratelimit-headers-10: the quota is the bucket's size
//! and its window the time an empty bucket takes to fill, which together are exactly the rate.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use std::net::{IpAddr, Ipv4Addr};

use super::Edge;
use super::extract::Bearer;
use super::peer::Peer;
use super::problem::Problem;
use crate::backend::limiter::{Decision, Scope};
use crate::gateway::error::over_limit;
use crate::metrics::label::RateScope;
use crate::model::address::LimitKey;
use crate::model::rate::{Rate, RateLimit};
use crate::model::time::millis;

/// How many are left and when the bucket is full again.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What the bucket is.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Puts a bucket in front of the methods of a route. Methods the route does not have cost nothing.
pub fn limited(edge: &Edge, scope: Scope, methods: MethodRouter<Edge>) -> MethodRouter<Edge> {
    methods.route_layer(from_fn_with_state((edge.clone(), scope), take))
}

async fn take(State((edge, scope)): State<(Edge, Scope)>, request: Request, next: Next) -> Response {
    let Some(rate) = rate_of(&edge, scope).rate() else { return next.run(request).await };
    if is_server(&edge, request.headers()) {
        return next.run(request).await;
    }
    let client =
        request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.client);
    let key = LimitKey::from(client).to_string();
    let decision = edge.gateway.limiter().take(scope, &key, rate, 1).await;
    let mut response = if decision.allowed {
        next.run(request).await
    } else {
        if !decision.outage {
            edge.metrics.access.rate_limited.get(label_of(scope)).increment(1);
        }
        Problem::from(over_limit(decision)).into_response()
    };
    put(scope, rate, decision, response.headers_mut());
    response
}

fn is_server(edge: &Edge, headers: &HeaderMap) -> bool {
    Bearer::of(headers).token().is_some_and(|bearer| edge.gateway.is_server(bearer))
}

fn rate_of(edge: &Edge, scope: Scope) -> RateLimit {
    let limits = &edge.config.limits;
    match scope {
        Scope::Create => limits.create,
        Scope::Join => limits.join,
        Scope::JoinFailures => limits.join_failures,
        Scope::Lookup => limits.lookup,
        Scope::Publish => limits.publish,
        Scope::Connect => limits.connect,
    }
}

/// The metric's word for a scope.
#[must_use]
pub fn label_of(scope: Scope) -> RateScope {
    match scope {
        Scope::Create => RateScope::Create,
        Scope::Join => RateScope::Join,
        Scope::JoinFailures => RateScope::JoinFailures,
        Scope::Lookup => RateScope::Lookup,
        Scope::Publish => RateScope::Publish,
        Scope::Connect => RateScope::Connect,
    }
}

/// Writes both fields.
pub fn put(scope: Scope, rate: Rate, decision: Decision, headers: &mut HeaderMap) {
    let name = scope.as_str();
    let window = seconds(millis(rate.per).saturating_mul(rate.burst.into()) / u64::from(rate.count.max(1)));
    let left = format!("\"{name}\";r={};t={}", decision.remaining, seconds(decision.reset_ms));
    let policy = format!("\"{name}\";q={};w={window}", rate.burst);
    for (header, text) in [(RATE_LIMIT, left), (RATE_LIMIT_POLICY, policy)] {
        headers.insert(header, HeaderValue::try_from(text).expect("names and numbers are visible ASCII"));
    }
}

/// Whole seconds, rounded up.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_fields_say_how_a_bucket_stands() {
        for (count, per, burst, policy) in [
            (30, 60, 60, "\"create\";q=60;w=120"),
            (300, 60, 300, "\"create\";q=300;w=60"),
            (50, 1, 500, "\"create\";q=500;w=10"),
            (7, 1, 1, "\"create\";q=1;w=1"),
        ] {
            let rate = Rate { count, per: Duration::from_secs(per), burst };
            let decision =
                Decision { allowed: true, remaining: 0, retry_after_ms: 0, reset_ms: 1001, outage: false };
            let mut headers = HeaderMap::new();
            put(Scope::Create, rate, decision, &mut headers);
            assert_eq!(headers[RATE_LIMIT], "\"create\";r=0;t=2");
            assert_eq!(headers[RATE_LIMIT_POLICY], policy);
        }
    }

    #[test]
    fn scopes_and_labels_have_the_same_words() {
        use crate::metrics::label::Label as _;
        for scope in Scope::ALL {
            assert_eq!(label_of(scope).value(), scope.as_str());
        }
    }
}
