//! Under construction.

pub mod framing;
