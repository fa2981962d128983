//! The keys with which a backend of the operator's speaks as a server (`SERVER_API_KEYS`).
//!
//! Responsible for telling in constant time whether a bearer token is one of them, and whose. Not responsible for what
//! a server may do, nor for the form of the setting. Digests are kept instead of keys: equally long for all, so that a
//! comparison shows nothing of a key's length, and a memory dump shows no key.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

/// The keys of this deployment. Usually none, or one for each backend.
#[derive(Clone, Default)]
pub struct ServerKeys {
    keys: Vec<(String, Digest)>,
}

impl ServerKeys {
    /// Takes `(name, key)` pairs. That names differ and keys are long enough is the configuration's to check.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Self {
        let keys = keys
            .into_iter()
            .map(|(name, key)| (name.to_owned(), digest(&SHA256, key.expose_secret().as_bytes())))
            .collect();
        Self { keys }
    }

    /// The name that goes with a bearer token, if it is one of the keys; what logs show.
    #[must_use]
    pub fn name_of(&self, bearer: &str) -> Option<&str> {
        let presented = digest(&SHA256, bearer.as_bytes());
        // All keys are compared, found or not, so that the time does not tell which one came near.
        self.keys.iter().fold(None, |found, (name, key)| {
            match verify_slices_are_equal(key.as_ref(), presented.as_ref()) {
                Ok(()) => Some(name.as_str()),
                Err(_) => found,
            }
        })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILLING: &str = "billing-canary-0123456789abcdef0123456789";
    const EMPTY: &str = "";

    #[test]
    fn each_key_gives_its_name_and_nothing_else_gives_any() {
        let (one, two) = (SecretString::from(BILLING), SecretString::from("b".repeat(32)));
        let keys = ServerKeys::new([("billing", &one), ("catalogue", &two)]);
        assert_eq!(keys.name_of(BILLING), Some("billing"));
        assert_eq!(keys.name_of(&"b".repeat(32)), Some("catalogue"));
        for wrong in [EMPTY, "billing", &"b".repeat(31), &"b".repeat(33), &BILLING.to_uppercase()] {
            assert_eq!(keys.name_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_keys_nobody_is_a_server() {
        let keys = ServerKeys::default();
        assert!(keys.is_empty());
        assert_eq!(keys.name_of(EMPTY), None);
    }

    #[test]
    fn debug_shows_names_only() {
        let key = SecretString::from(BILLING);
        assert_eq!(format!("{:?}", ServerKeys::new([("billing", &key)])), r#"["billing"]"#);
    }
}
