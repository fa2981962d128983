//! The domain as plain data and pure rules: no I/O, no clock, no randomness but what an argument brings.
//! A newcomer learns here what a session, an entry and a position are; every other floor imports these.

pub mod address;
pub mod entry;
pub mod history;
pub mod id;
pub mod origin;
pub mod participant;
pub mod password;
pub mod playback;
pub mod rate;
pub mod record;
pub mod seat;
pub mod session;
pub mod time;
pub mod verb;
pub mod visible;
