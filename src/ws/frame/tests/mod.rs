//! The decoder, by subject: the wrong frames of the bad-input matrix, compressed messages, what conformance suites ask, memory and
//! borrowing, pauses. Here is what all of them say it with: frames to send, and what was heard.

mod conformance;
mod deflate;
mod memory;
mod pauses;
mod rows;

use super::{Decoder, Event, Flow, MAX_FRAGMENTS, Rules, Violation};

/// The limit of an authenticated connection.
pub(super) const LIMIT: usize = 64 * 1024;

const TEXT: u8 = 0x81;
const FIRST: u8 = 0x01;
const NEXT: u8 = 0x00;
const LAST: u8 = 0x80;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;
const RSV1: u8 = 0x40;

/// An event with what it borrowed, to be compared after the bytes are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(payload) => Self::Binary(payload.to_vec()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close(body) => Self::Close(body.map(|(code, reason)| (code, reason.to_owned()))),
        }
    }
}

/// What a decoder said, and how it ended.
pub(super) type Told = (Vec<Said>, Result<(), Violation>);

/// A masked frame with its length in the shortest form.
pub(super) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(first_byte, payload, [0x37, 0xfa, 0x21, 0x3d])
}

/// The same under this key.
fn masked_frame(first_byte: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match payload.len() {
        size @ 0..=125 => bytes.push(0x80 | size as u8),
        size @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0x80 | 127);
            bytes.extend((size as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
    bytes
}

/// Feeds `bytes` in pieces of these sizes, in turn, until a rule is broken.
pub(super) fn decode(decoder: &mut Decoder, bytes: &[u8], sizes: &[usize]) -> Told {
    let mut said = Vec::new();
    let mut rest = bytes.to_vec();
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        let mut piece: Vec<u8> = rest.drain(..size).collect();
        let result = decoder.feed(&mut piece, |event| {
            said.push(event.into());
            Flow::Continue
        });
        if result.is_err() {
            return (said, result);
        }
    }
    (said, Ok(()))
}

/// What comes of `bytes` at once, after making sure that it does not depend on how they are cut.
fn told(bytes: &[u8]) -> Told {
    let whole = decode(&mut Decoder::new(LIMIT), bytes, &[]);
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[4096]] {
        assert_eq!(decode(&mut Decoder::new(LIMIT), bytes, sizes), whole, "in pieces of {sizes:?}");
    }
    whole
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[test]
fn messages_fragments_and_control_frames_are_understood() {
    let bytes = [
        frame(TEXT, b"{}"),
        frame(TEXT, b""),
        frame(FIRST, "spl\u{df}".as_bytes().split_at(4).0),
        frame(PING, b"are you there"),
        frame(NEXT, b""),
        frame(NEXT, "spl\u{df}".as_bytes().split_at(4).1),
        frame(PONG, b""),
        frame(LAST, b"it"),
        frame(TEXT, &[b'x'; 126]),
        close(1000, "tsch\u{fc}ss".as_bytes()),
    ]
    .concat();
    let (said, result) = told(&bytes);
    assert_eq!(result, Ok(()));
    assert_eq!(
        said,
        [
            text("{}"),
            text(""),
            Said::Ping(b"are you there".to_vec()),
            Said::Pong(Vec::new()),
            text("spl\u{df}it"),
            text(&"x".repeat(126)),
            Said::Close(Some((1000, "tsch\u{fc}ss".to_owned()))),
        ]
    );
}

/// A row and its case, the bytes, the rule they break, and the close code.
type Case = (&'static str, Vec<u8>, Violation, u16);

/// Each case breaks its rule after a good message, which is delivered, and nothing else is.
fn check(cases: Vec<Case>) {
    for (row, bytes, violation, code) in cases {
        let bytes = [frame(TEXT, b"before"), bytes].concat();
        assert_eq!(told(&bytes), (vec![text("before")], Err(violation)), "{row}");
        assert_eq!(violation.code(), code, "{row}");
    }
}

#[test]
fn every_violation_has_a_reason_of_its_own_that_fits_a_close_frame() {
    let all = [
        Violation::Unmasked,
        Violation::ReservedBit,
        Violation::ReservedOpcode,
        Violation::LongLength,
        Violation::ControlTooLong,
        Violation::ControlFragmented,
        Violation::StrayContinuation,
        Violation::Interleaved,
        Violation::CloseCode,
        Violation::CloseBody,
        Violation::Binary,
        Violation::NotUtf8,
        Violation::Deflate,
        Violation::TooBig,
        Violation::TooManyFragments,
    ];
    let reasons: std::collections::HashSet<&str> = all.iter().map(|violation| violation.reason()).collect();
    assert_eq!(reasons.len(), all.len());
    assert!(
        reasons
            .iter()
            .all(|reason| reason.bytes().all(|byte| byte.is_ascii_lowercase() || b"_8".contains(&byte)))
    );
}
