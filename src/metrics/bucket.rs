//! The bucket bounds of every histogram, in seconds.
//!
//! A histogram without bounds would be rendered as a summary, whose quantiles cannot be added up over nodes; so bounds
//! are an argument of registration (`table`) and cannot be forgotten.

/// F: what a message or a round trip may take, from a memory access to a deadline.
pub const FAST: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0,
];

/// 10 µs, 25 µs and F: a fan-out within one node starts lower.
pub const FAN_OUT: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0,
];

/// HTTP requests, hashing included.
pub const HTTP: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The life of a connection: a glance, an evening, a day.
pub const CONNECTION_LIFE: &[f64] =
    &[1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0, 86_400.0];

/// One password: cost 10 to 14, on slow cores too.
pub const PASSWORD: &[f64] = &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Drift of a player from the room: unnoticed, noticed, corrected by a seek.
pub const DRIFT: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
