//! What a client's bytes say (RFC 6455, 5 to 8): from a read of a socket to whole messages and control
//! frames.
//!
//! Responsible for everything between the two: header rules, unmasking, assembly of fragments, control frames
//! between them, UTF-8 as it arrives, size limits and the close frame's body. Not responsible for reading,
//! answering, counting or timing: a [`Decoder`] does no I/O and knows no clock, so every rule is a table
//! test, and the same bytes can be given to another implementation and compared. Header parsing is
//! tungstenite's; assembly is ours, because a library's assembler owns a read buffer per connection, and here
//! an idle connection must own none.
//!
//! A compressed message (RFC 7692) is gathered as it came and inflated when it is whole, in what its thread keeps for that: a
//! connection that is within a message holds what arrived, not the window and tables of an inflater. So its text is checked when
//! it is whole too, and not as it arrives.

mod content;
mod decoder;
mod head;
mod mask;
mod spill;
mod utf8;
mod violation;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, MAX_FRAGMENTS, Rules};
pub use violation::Violation;

/// Something a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message, where [`Rules::binary`] lets one through.
    Binary(&'a [u8]),
    /// A ping, whose payload the pong must carry.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// A close frame with its code and reason, or with neither. Everything after it is ignored.
    Close(Option<(u16, &'a str)>),
}

/// Whether the decoder goes on after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// On to the next frame.
    Continue,
    /// Keep the rest of the bytes for [`Decoder::resume`].
    Pause,
}
