//! Under construction.

pub mod client_ip;
