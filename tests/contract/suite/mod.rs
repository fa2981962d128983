//! The cases, by subject. Each is one sentence of a contract.

pub(crate) mod dedup;
pub(crate) mod effects;
pub(crate) mod epochs;
pub(crate) mod fence;
pub(crate) mod host;
pub(crate) mod leases;
pub(crate) mod limiter;
pub(crate) mod listening;
pub(crate) mod log_order;
pub(crate) mod long;
pub(crate) mod membership;
pub(crate) mod reading;
pub(crate) mod sessions;
