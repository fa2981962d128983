//! The wire, parsed and encoded; no I/O, no decisions. `docs/PROTOCOL.md` is the contract, `tests/golden` holds this floor
//! and the SDK to it.

pub mod close;
pub mod deflate;
pub mod framing;
pub mod inbound;
pub mod json;
pub mod outbound;
pub mod peers;
pub mod problem;
