//! Reads what scripts answer, strictly: an answer that is not what our scripts write is a bug or somebody else's data.
//!
//! Responsible for shapes. Not responsible for meanings (`rows` and the ports).

use bytes::Bytes;
use redis::Value;

use crate::backend::error::BackendError;

/// The answer of a script, read from the front.
pub(super) struct Reply(std::vec::IntoIter<Value>);

/// An answer that cannot be read; what it says about it is for logs.
pub(super) fn unreadable(what: &str) -> BackendError {
    BackendError::Unreadable(what.to_owned())
}

impl Reply {
    /// An array.
    pub(super) fn array(value: Value) -> Result<Self, BackendError> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(unreadable("an array was expected")),
        }
    }

    /// How many values are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    fn next(&mut self) -> Result<Value, BackendError> {
        self.0.next().ok_or_else(|| unreadable("the answer ends early"))
    }

    pub(super) fn next_array(&mut self) -> Result<Self, BackendError> {
        Self::array(self.next()?)
    }

    pub(super) fn next_bytes(&mut self) -> Result<Bytes, BackendError> {
        bytes(self.next()?)
    }

    pub(super) fn next_text(&mut self) -> Result<String, BackendError> {
        String::from_utf8(self.next_bytes()?.into()).map_err(|_| unreadable("a text is not UTF-8"))
    }

    /// A number, or a text that is one.
    pub(super) fn next_number(&mut self) -> Result<u64, BackendError> {
        match self.next()? {
            Value::Int(number) => u64::try_from(number).map_err(|_| unreadable("a number is negative")),
            other => parse(&bytes(other)?),
        }
    }
}

/// A number in a text.
pub(super) fn parse(text: &[u8]) -> Result<u64, BackendError> {
    super::wire::number(text).ok_or_else(|| unreadable("a number was expected"))
}

/// A text of bytes.
pub(super) fn bytes(value: Value) -> Result<Bytes, BackendError> {
    match value {
        Value::BulkString(text) => Ok(Bytes::from(text)),
        Value::SimpleString(text) => Ok(Bytes::from(text)),
        _ => Err(unreadable("a text was expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        let row =
            vec![Value::Int(3), Value::BulkString(b"17".to_vec()), Value::Array(Vec::new()), Value::Nil];
        let mut reply = Reply::array(Value::Array(row)).unwrap();
        assert_eq!(reply.next_number().unwrap(), 3);
        assert_eq!(reply.next_number().unwrap(), 17);
        assert_eq!(reply.next_array().unwrap().left(), 0);
        assert!(matches!(reply.next_text(), Err(BackendError::Unreadable(_))));
        assert!(matches!(reply.next_text(), Err(BackendError::Unreadable(_))), "nothing is left");
        assert!(Reply::array(Value::Okay).is_err());
        let negative = Value::Array(vec![Value::Int(-1)]);
        assert!(Reply::array(negative).unwrap().next_number().is_err());
    }
}
