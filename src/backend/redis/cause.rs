//! Why a call of the `redis` crate failed, in words for an operator.
//!
//! Responsible for the words in logs and in `watchparty doctor`: the crate's category alone ("I/O error") is one for an unknown host, a closed
//! port and a TLS that is none. They are for no client: an answer carries a code, never an inner error. No password can be in them: the crate
//! repeats none, and Redis answers a login with a text of its own.

use redis::RedisError;

/// What went wrong: the operating system's or TLS's words, the code and words of Redis, or the crate's own.
pub(super) fn cause(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if error.is_io_error() {
        return error.to_string();
    }
    let what = error.code().unwrap_or_else(|| error.category());
    match error.detail() {
        Some(detail) if !detail.is_empty() => format!("{what} {detail}"),
        _ => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::{ErrorKind, Value};

    use super::*;

    #[test]
    fn an_io_error_is_told_in_its_own_words() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused (os error 111)");
        assert_eq!(cause(&refused.into()), "Connection refused (os error 111)");
        let name = io::Error::other("failed to lookup address information: Name or service not known");
        assert!(cause(&name.into()).contains("Name or service not known"));
        let late = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(cause(&late.into()), "no answer in time");
    }

    #[test]
    fn what_redis_says_is_repeated_and_nothing_is_left_blank() {
        let value = redis::parse_redis_value(b"-NOAUTH Authentication required.\r\n").unwrap();
        let error = Value::extract_error(value).unwrap_err();
        assert_eq!(cause(&error), "NOAUTH Authentication required.");
        let bare = RedisError::from((ErrorKind::AuthenticationFailed, "Password authentication failed"));
        assert_eq!(cause(&bare), "authentication failed");
        let with = RedisError::from((ErrorKind::InvalidClientConfig, "Invalid", "no certificate".to_owned()));
        assert_eq!(cause(&with), "invalid client config no certificate");
    }
}
