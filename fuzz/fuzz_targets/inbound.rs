//! A client's text: it is understood, refused with a word, or no object of JSON; it never panics, and what is echoed is bounded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchparty::protocol::inbound::{Rejected, Resume, parse};

/// Characters of an `id`.
const ID: usize = 64;

fuzz_target!(|text: &str| {
    let id = match parse(text) {
        Ok(inbound) => inbound.id,
        Err(misread) => match misread.rejected {
            Rejected::Refused { id, .. } => id,
            Rejected::Malformed => None,
        },
    };
    assert!(id.is_none_or(|id| id.chars().count() <= ID));
    let _ = (Resume::from_query(text), Resume::from_event_id(text));
});
