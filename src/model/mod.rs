//! Under construction.

pub mod origin;
