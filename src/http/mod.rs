//! The HTTP edge: JSON in and out, problems, limits, and nothing that decides.
//!
//! [`router`] has every route on one screen, [`layers`] everything that is around them, in order. A route's file reads a
//! request, calls one verb of the gateway and writes the answer; [`problem`] alone knows which status a fault has.

pub mod accept;
pub mod byte_range;
pub mod client_ip;
pub mod clock;
pub mod cors;
pub mod edge;
pub mod events;
pub mod extract;
pub mod health;
mod http2;
pub mod ice;
pub mod layers;
pub mod links;
pub mod messages;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod participants;
mod patience;
pub mod peer;
pub mod problem;
pub mod rate_limit;
pub mod request_id;
pub mod router;
pub mod sdk;
pub mod sessions;
pub mod shape;
pub mod socket;
pub mod token;
pub mod web;

#[cfg(test)]
mod tests;

pub use edge::Edge;
