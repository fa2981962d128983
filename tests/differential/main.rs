//! Random sequences of operations on a real Redis and on the memory backend, the model: every answer, everything delivered and what is left must be
//! the same, through promotions, restarts, kills and cut append-only files.
//!
//! The contract suite says in sentences what both adapters do; this searches for what nobody thought of saying. Not compared: what concurrent
//! calls come to (`log_order` and the chaos harness), and leases and times to live that run out by the clock (`leases`, `sessions`).
//!
//! ```text
//! operation   what may happen, in a client's words; drawn and shortened by proptest
//! clients     ... in numbers: a call              call   made on either side's ports
//! comparison  one sequence on both sides          plain  without random epochs and clocks
//! ending      what is left                        truth  what readers really saw, against what they are told
//! search      sequence after sequence             teeth  that a wrong store is found
//! cast        who and what appears                ear    what a side delivers
//! store       a side: model, on_redis
//! ```

#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod call;
mod cast;
mod clients;
mod comparison;
mod ear;
mod ending;
mod model;
mod on_redis;
mod operation;
mod plain;
mod search;
mod store;
mod support;
mod teeth;
mod truth;

use tokio::runtime::Runtime;

use crate::comparison::compare;
use crate::model::Model;
use crate::on_redis::OnRedis;
use crate::operation::Fate;
use crate::search::Search;
use crate::support::redis_server::Aof;

/// Entries kept where trimming is not the subject: more than any sequence writes.
const EVERYTHING: usize = 100_000;

/// Searches for a difference between the scripts and the model.
fn search(aof: Aof, keep: usize, search: Search) {
    let runtime = Runtime::new().unwrap();
    let mut redis = runtime.block_on(OnRedis::start(aof, keep));
    let mut model = Model::new(keep);
    let found = search.run(|sequence| runtime.block_on(compare(&mut redis, &mut model, keep, sequence)));
    if let Err(found) = found {
        panic!("{}", found.report());
    }
    assert_eq!(runtime.block_on(redis.keys_without_ttl()), [""; 0], "keys that would stay for ever");
}

#[test]
fn the_scripts_do_what_the_model_does() {
    search(Aof::Off, EVERYTHING, Search { fate: Fate::Promoted, sequences: 250, length: 80 });
}

#[test]
fn a_log_that_is_trimmed_tells_the_same_past() {
    search(Aof::Off, 10, Search { fate: Fate::Promoted, sequences: 120, length: 80 });
}

#[test]
fn what_a_crash_leaves_is_what_the_model_goes_back_to() {
    search(Aof::Always, EVERYTHING, Search { fate: Fate::Killed, sequences: 25, length: 60 });
}
