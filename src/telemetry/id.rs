//! Session ids as they stand in lines: short, keyed, the same on every node with the same secret.
//!
//! A session's id is half of what it takes to join it, so a line never holds one. Eight hex digits keep the lines of
//! one session together; whoever has the secret can tell the digits of an id they know, and nobody the reverse.

use std::fmt;

use aws_lc_rs::hmac;

/// Keeps these digits apart from every other use of the same secret (the key id in a token's header is one).
const PURPOSE: &[u8] = b"watchparty log id\0";

/// Turns ids into what may be logged. Cheap to clone; its `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct LogIds(hmac::Key);

impl LogIds {
    /// Keyed by the secret tokens are signed with.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The digits of one id, given in its usual spelling.
    pub fn of(&self, id: &str) -> LogId {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(PURPOSE);
        context.update(id.as_bytes());
        let mut first = [0; 4];
        // An HMAC-SHA256 has 32 bytes, so the four are there.
        for (to, from) in first.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        LogId(u32::from_be_bytes(first))
    }
}

/// Eight hex digits that stand for an id in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(u32);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_that_depend_on_id_and_secret() {
        let ids = LogIds::new(b"first secret");
        let one = ids.of("0b8f9f3e-0000-4000-8000-000000000001").to_string();
        assert_eq!(one.len(), 8);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(one, LogIds::new(b"first secret").of("0b8f9f3e-0000-4000-8000-000000000001").to_string());
        assert_ne!(one, ids.of("0b8f9f3e-0000-4000-8000-000000000002").to_string());
        assert_ne!(one, LogIds::new(b"other secret").of("0b8f9f3e-0000-4000-8000-000000000001").to_string());
    }

    #[test]
    fn the_digits_are_those_of_an_independent_hmac() {
        // Python: hmac.new(b"key", b"watchparty log id\0abc", "sha256").hexdigest()[:8]
        assert_eq!(LogIds::new(b"key").of("abc").to_string(), "c543bf6f");
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", LogIds::new(b"canary-key")).contains("canary"));
    }
}
