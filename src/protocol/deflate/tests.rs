//! What is compressed and what is not, and what inflating makes of the RFC's examples, of damage and of bombs.

use std::fmt::Write as _;

use bytes::BytesMut;
use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{
    COMPRESS_FROM, FIRST_ROOM, FLUSHED, STREAMS, Unfit, Window, inflate, most_deflated, put_text_frame,
};

/// The limit of an authenticated connection.
const LIMIT: usize = 64 * 1024;

/// Some text of so many bytes that saves a lot.
fn prose(size: usize) -> String {
    let mut text = String::new();
    let mut line = 0;
    while text.len() < size {
        write!(text, "line {line}: the film goes on, and {} people watch; ", line * 7919 % 1009).unwrap();
        line += 1;
    }
    text.truncate(size);
    text
}

/// As a sender makes it who takes no context over: with these settings, and the tail left off.
fn deflated(payload: &[u8], level: i32, flush: MZFlush) -> Vec<u8> {
    // Negative window bits: no header around the data.
    let mut state = Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(level, -15, 0)));
    let mut out = vec![0; most_deflated(payload.len()) + 64];
    let done = deflate(&mut state, payload, &mut out, flush);
    let status = if flush == MZFlush::Finish { MZStatus::StreamEnd } else { MZStatus::Ok };
    assert_eq!((done.status, done.bytes_consumed), (Ok(status), payload.len()));
    out.truncate(done.bytes_written);
    match out.strip_suffix(&FLUSHED) {
        Some(message) => message.to_vec(),
        None => out,
    }
}

fn synced(payload: &[u8]) -> Vec<u8> {
    deflated(payload, 6, MZFlush::Sync)
}

/// Takes a server's frame apart: its first byte and its payload.
fn frame(bytes: &[u8]) -> (u8, &[u8]) {
    let at = match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    (bytes[0], &bytes[at..])
}

#[test]
fn a_long_message_becomes_one_frame_with_rsv1_that_inflates_to_it() {
    for size in [COMPRESS_FROM, 1500, 4096, 65_536, 300_000] {
        let text = prose(size);
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(put_text_frame(text.as_bytes(), &mut out), "{size}");
        let (first, payload) = frame(&out[6..]);
        assert_eq!((&out[..6], first), (&b"before"[..], 0b1100_0001), "{size}");
        assert!(payload.len() * 2 < size, "{} of {size}", payload.len());
        assert_eq!(inflate(payload, size).as_deref(), Ok(text.as_bytes()), "{size}");
    }
}

#[test]
fn what_is_short_or_does_not_pay_is_left_alone() {
    let mut out = BytesMut::new();
    assert!(!put_text_frame(prose(COMPRESS_FROM - 1).as_bytes(), &mut out));
    let mut random = fastrand::Rng::with_seed(7);
    // 95 characters are 6.6 bits each, so a sixth is saved; whole bytes save nothing (and no text is like that).
    let noise: String = (0..8192).map(|_| random.char(' '..='~')).collect();
    let bytes: Vec<u8> = (0..8192).map(|_| random.u8(..)).collect();
    assert!(put_text_frame(noise.as_bytes(), &mut out));
    out.clear();
    assert!(!put_text_frame(&bytes, &mut out));
    assert!(out.is_empty());
    assert!(put_text_frame(prose(2000).as_bytes(), &mut out), "the next one is not hurt by that");
    assert_eq!(inflate(frame(&out).1, LIMIT).as_deref(), Ok(prose(2000).as_bytes()));
}

#[test]
fn a_compressor_leaves_nothing_behind_for_the_next_message() {
    let mut frames = Vec::new();
    for text in [prose(5000), prose(3000), prose(5000)] {
        let mut out = BytesMut::new();
        assert!(put_text_frame(text.as_bytes(), &mut out));
        assert_eq!(inflate(frame(&out).1, LIMIT).as_deref(), Ok(text.as_bytes()));
        frames.push(out);
    }
    assert_eq!(frames[0], frames[2]);
}

#[test]
fn the_examples_of_the_rfc_are_understood() {
    // RFC 7692, 7.2.3.1, 7.2.3.3, 7.2.3.4, 7.2.3.5 and 7.2.3.6. 7.2.3.2 takes context over.
    for (bytes, text) in [
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], "Hello"),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], "Hello"),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], "Hello"),
        (&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
        (&[0x00], ""),
        (&[0x02, 0x00], ""),
        // Not in the RFC: a last block and no byte behind it, and no byte at all.
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
        (&[], ""),
    ] {
        assert_eq!(inflate(bytes, 5).as_deref(), Ok(text.as_bytes()), "{bytes:x?}");
    }
    let taken_over = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(inflate(&taken_over, 5), Err(Unfit::Corrupt), "a window of before is not there");
}

#[test]
fn every_kind_of_sender_is_understood() {
    for size in [0, 1, 127, 1024, 40_000, LIMIT] {
        let text = prose(size);
        for level in [0, 1, 6, 9] {
            for flush in [MZFlush::Sync, MZFlush::Full, MZFlush::Finish] {
                let bytes = deflated(text.as_bytes(), level, flush);
                let what = format!("{size} bytes at level {level} with {flush:?}");
                assert_eq!(inflate(&bytes, LIMIT).as_deref(), Ok(text.as_bytes()), "{what}");
                assert!(bytes.len() <= most_deflated(size), "{what}: {} bytes", bytes.len());
            }
        }
    }
}

#[test]
fn w6_a_bomb_stops_at_the_limit() {
    // Ten million bytes in ten thousand, and the same again inside one message.
    let bomb = synced(&vec![b' '; 10_000_000]);
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    for limit in [0, 1, FIRST_ROOM, LIMIT] {
        assert_eq!(inflate(&bomb, limit), Err(Unfit::TooBig), "{limit}");
    }
    let exact = synced(prose(LIMIT).as_bytes());
    assert_eq!(inflate(&exact, LIMIT).map(|out| out.len()), Ok(LIMIT));
    assert_eq!(inflate(&exact, LIMIT - 1), Err(Unfit::TooBig));
}

#[test]
fn memory_grows_with_what_comes_out() {
    let small = inflate(&synced(prose(100).as_bytes()), 1 << 30).unwrap();
    assert_eq!((small.len(), small.capacity()), (100, FIRST_ROOM));
    let most = inflate(&synced(prose(LIMIT).as_bytes()), LIMIT).unwrap();
    assert!(most.capacity() <= LIMIT + 1, "{}", most.capacity());
}

#[test]
fn w7_damage_is_noticed() {
    let text = prose(3000);
    let bytes = synced(text.as_bytes());
    for end in 1..bytes.len() {
        assert_eq!(
            inflate(&bytes[..end], LIMIT),
            Err(Unfit::Corrupt),
            "cut short at {end} of {}",
            bytes.len()
        );
    }
    for bytes in [
        // A block of the fourth type, a stored block whose lengths disagree, a distance past the beginning.
        &[0x07][..],
        &[0x00, 0x05, 0x00, 0x00, 0x00, 0x48],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // Rubbish behind a message that is whole.
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xff],
        b"{\"type\":\"chat\"}",
    ] {
        assert_eq!(inflate(bytes, LIMIT), Err(Unfit::Corrupt), "{bytes:x?}");
    }
}

#[test]
fn a_row_of_empty_streams_is_not_endless_work() {
    let empty = [0x03, 0x00];
    assert_eq!(inflate(&empty.repeat(STREAMS), LIMIT).as_deref(), Ok(&b""[..]));
    assert_eq!(inflate(&empty.repeat(STREAMS + 1), LIMIT), Err(Unfit::Corrupt));
    assert_eq!(inflate(&empty.repeat(LIMIT / 2), LIMIT), Err(Unfit::Corrupt));
}

#[test]
fn a_window_holds_what_cannot_look_further_back() {
    assert_eq!(Window::of_bits(15), Some(Window::FULL));
    assert_eq!([7, 16, 0, 255].map(Window::of_bits), [None; 4]);
    let small = Window::of_bits(8).unwrap();
    assert_eq!((small.bits(), small.holds(256), small.holds(257)), (8, true, false));
    assert!(Window::FULL.holds(1 << 20));
}

proptest! {
    #[test]
    fn whatever_is_deflated_inflates_to_itself(payload in vec(any::<u8>(), 0..5000), level in 0..=9_i32) {
        let bytes = deflated(&payload, level, MZFlush::Sync);
        prop_assert_eq!(inflate(&bytes, payload.len()), Ok(payload));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_bounded(bytes in vec(any::<u8>(), 0..3000), limit in 0..5000_usize) {
        if let Ok(out) = inflate(&bytes, limit) {
            prop_assert!(out.len() <= limit);
        }
    }

    #[test]
    fn damaged_messages_are_refused_or_bounded(
        size in 0..5000_usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = synced(prose(size).as_bytes());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        if let Ok(out) = inflate(&bytes, LIMIT) {
            prop_assert!(out.len() <= LIMIT);
        }
    }
}
