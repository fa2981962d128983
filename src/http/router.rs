//! Every route on one screen, each with the bucket it takes from. What is around them all is in `layers`.

use axum::Router;
use axum::routing::{any, delete, get, patch, post};

use super::rate_limit::limited;
use super::{
    Edge, clock, events, health, ice, layers, messages, metrics, openapi, participants, problem, sdk,
    sessions, socket, token, web,
};
use crate::backend::limiter::Scope::{Connect, Create, Join, Lookup, Publish};
use crate::protocol::problem::Code;

/// The public listener.
#[rustfmt::skip]
pub fn public(edge: &Edge) -> Router {
    let mut routes = Router::new()
        .route("/api/sessions/create", limited(edge, Create, post(sessions::create)))
        .route("/api/sessions/join", limited(edge, Join, post(sessions::join)))
        .route("/api/sessions/{id}", limited(edge, Lookup, get(sessions::show))
            .merge(limited(edge, Publish, patch(sessions::update).delete(sessions::end))))
        .route("/api/sessions/{id}/messages", limited(edge, Lookup, get(messages::list))
            .merge(limited(edge, Publish, post(messages::publish))))
        .route("/api/sessions/{id}/events", limited(edge, Connect, get(events::stream)))
        .route("/api/sessions/{id}/participants/{pid}", limited(edge, Publish, delete(participants::kick)))
        .route("/api/sessions/{id}/token", limited(edge, Lookup, post(token::refresh)))
        .route("/api/sessions/{id}/ice", limited(edge, Lookup, get(ice::servers)))
        .route("/api/clock", get(clock::now))
        // The socket takes from its bucket itself, after the handshake was judged.
        .route("/ws/{id}", any(socket::upgrade))
        .route("/openapi.json", get(openapi::document))
        .merge(health_routes());
    if edge.config.server.admin_addr.is_none() {
        routes = routes.merge(metrics_routes());
    }
    if edge.config.server.web {
        routes = routes.merge(web_routes());
    }
    finish(routes, edge)
}

/// The second listener, for operators: health and numbers.
pub fn admin(edge: &Edge) -> Router {
    finish(health_routes().merge(metrics_routes()), edge)
}

fn health_routes() -> Router<Edge> {
    Router::new()
        .route("/health", get(health::show))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}

fn metrics_routes() -> Router<Edge> {
    Router::new().route("/metrics", get(metrics::page))
}

fn web_routes() -> Router<Edge> {
    Router::new()
        .route("/", get(web::start))
        .route("/s/{*link}", get(web::share))
        .route("/s/", get(web::no_link))
        .route("/docs", get(web::api))
        .route("/web/{*file}", get(web::file))
        .route("/sdk/{*module}", get(sdk::module))
}

fn finish(routes: Router<Edge>, edge: &Edge) -> Router {
    let refuse = |code| move || std::future::ready(problem::Problem::of(code));
    let routes =
        routes.fallback(refuse(Code::NotFound)).method_not_allowed_fallback(refuse(Code::MethodNotAllowed));
    layers::wrap(routes, edge)
}

#[cfg(test)]
pub(super) mod tests {
    /// Every pattern in this file, comments apart: what tests hold other tables against.
    pub(crate) fn patterns() -> Vec<String> {
        let code: String = include_str!("router.rs")
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .collect();
        let routes = code.split(".route(").skip(1);
        routes.map(|route| route.split('"').nth(1).unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_patterns_are_found() {
        let patterns = patterns();
        assert!(patterns.len() >= 16, "{patterns:?}");
        assert!(patterns.contains(&"/api/sessions/{id}/messages".to_owned()), "{patterns:?}");
        assert!(patterns.iter().all(|pattern| pattern.starts_with('/')), "{patterns:?}");
    }
}
