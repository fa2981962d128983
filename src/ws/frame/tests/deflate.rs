//! Compressed messages: where RSV1 may stand, what inflates to what, and rows W2, W6, W7 and W11 of the bad-input matrix for them.

use std::io::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::protocol::deflate::most_deflated;

/// A decoder of a connection that negotiated it.
fn deflating() -> Decoder {
    Decoder::new(LIMIT).deflating(true)
}

/// A message as a sender compresses it who takes no context over.
pub(super) fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut bytes = miniz_oxide::deflate::compress_to_vec(payload, 6);
    // The data's last block ends it; the byte behind it begins the empty block of which the rest is left off (RFC 7692, 7.2.3.4).
    bytes.write_all(&[0]).unwrap();
    bytes
}

/// What comes of `bytes`, however they are cut.
fn heard(bytes: &[u8]) -> Told {
    let whole = decode(&mut deflating(), bytes, &[]);
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[4096]] {
        assert_eq!(decode(&mut deflating(), bytes, sizes), whole, "in pieces of {sizes:?}");
    }
    whole
}

fn long() -> String {
    (0..3000).map(|line| format!("line {line} \u{1f3ac}; ")).collect()
}

#[test]
fn compressed_and_plain_messages_are_understood_side_by_side() {
    let long = long();
    let (hello, rest) = (deflated(b"{}"), deflated(long.as_bytes()));
    let (one, two) = rest.split_at(rest.len() / 3);
    let bytes = [
        frame(TEXT | RSV1, &hello),
        frame(TEXT, b"plain"),
        frame(FIRST | RSV1, one),
        frame(PING, b"between"),
        frame(NEXT, b""),
        frame(PONG, b""),
        frame(LAST, two),
        frame(TEXT | RSV1, &deflated(b"")),
        frame(TEXT | RSV1, b""),
        frame(FIRST, b"pl"),
        frame(LAST, b"ain"),
        frame(CLOSE, &[]),
    ]
    .concat();
    let said = vec![
        text("{}"),
        text("plain"),
        Said::Ping(b"between".to_vec()),
        Said::Pong(Vec::new()),
        text(&long),
        text(""),
        text(""),
        text("plain"),
        Said::Close(None),
    ];
    assert_eq!(heard(&bytes), (said, Ok(())));
}

/// Each case breaks its rule after a good message, which is delivered, and nothing else is.
fn check(cases: Vec<Case>) {
    for (row, bytes, violation, code) in cases {
        let bytes = [frame(TEXT | RSV1, &deflated(b"before")), bytes].concat();
        assert_eq!(heard(&bytes), (vec![text("before")], Err(violation)), "{row}");
        assert_eq!(violation.code(), code, "{row}");
    }
}

#[test]
fn w2_rsv1_where_it_means_nothing() {
    let reserved = |row, bytes| (row, bytes, Violation::ReservedBit, 1002);
    check(vec![
        reserved("on a ping", frame(PING | RSV1, b"x")),
        reserved("on a pong", frame(PONG | RSV1, b"")),
        reserved("on a close", frame(CLOSE | RSV1, &deflated(&1000_u16.to_be_bytes()))),
        reserved("on a continuation", [frame(FIRST | RSV1, b"x"), frame(LAST | RSV1, b"y")].concat()),
        reserved("on a continuation of plain", [frame(FIRST, b"x"), frame(LAST | RSV1, b"y")].concat()),
        reserved("with RSV2", frame(TEXT | RSV1 | 0x20, b"x")),
        reserved("with RSV3", frame(TEXT | RSV1 | 0x10, b"x")),
        ("on binary", frame(0x82 | RSV1, b"x"), Violation::Binary, 1003),
        ("on a reserved opcode", frame(0x83 | RSV1, b"x"), Violation::ReservedOpcode, 1002),
    ]);
    let unagreed = decode(&mut Decoder::new(LIMIT), &frame(TEXT | RSV1, &deflated(b"{}")), &[]);
    assert_eq!(unagreed, (Vec::new(), Err(Violation::ReservedBit)));
}

#[test]
fn w6_w7_w11_what_does_not_inflate_to_a_text() {
    let bomb = deflated(&vec![b' '; 10_000_000]);
    assert!(bomb.len() < LIMIT, "{} bytes are within what may be sent", bomb.len());
    let (left, right) = bomb.split_at(bomb.len() / 2);
    let whole = deflated(b"{\"type\":\"ping\"}");
    check(vec![
        ("W6 bomb", frame(TEXT | RSV1, &bomb), Violation::TooBig, 1009),
        (
            "W6 bomb in two frames",
            [frame(FIRST | RSV1, left), frame(LAST, right)].concat(),
            Violation::TooBig,
            1009,
        ),
        ("W6 one byte too many", frame(TEXT | RSV1, &deflated(&[b'x'; LIMIT + 1])), Violation::TooBig, 1009),
        (
            "W6 too much before inflating",
            frame(TEXT | RSV1, &vec![0; most_deflated(LIMIT) + 1]),
            Violation::TooBig,
            1009,
        ),
        ("W7 plain text", frame(TEXT | RSV1, b"{\"type\":\"ping\"}"), Violation::Deflate, 1002),
        ("W7 cut short", frame(TEXT | RSV1, &whole[..whole.len() - 4]), Violation::Deflate, 1002),
        (
            "W7 rubbish behind it",
            frame(TEXT | RSV1, &[&whole[..], b"\xff"].concat()),
            Violation::Deflate,
            1002,
        ),
        ("W11 not UTF-8", frame(TEXT | RSV1, &deflated(b"a\xff")), Violation::NotUtf8, 1007),
        (
            "W11 ends in a character",
            frame(TEXT | RSV1, &deflated(b"a\xf0\x9f\x8e")),
            Violation::NotUtf8,
            1007,
        ),
        (
            "W9 too many frames",
            [frame(FIRST | RSV1, b""), frame(NEXT, b"").repeat(MAX_FRAGMENTS as usize)].concat(),
            Violation::TooManyFragments,
            1009,
        ),
    ]);
}

#[test]
fn the_limit_itself_is_allowed_even_where_deflating_makes_it_longer() {
    let noise: String = {
        let mut random = fastrand::Rng::with_seed(11);
        (0..LIMIT).map(|_| random.alphanumeric()).collect()
    };
    let stored = [miniz_oxide::deflate::compress_to_vec(noise.as_bytes(), 0), vec![0]].concat();
    assert!(stored.len() > LIMIT);
    for payload in [stored, deflated(noise.as_bytes())] {
        assert_eq!(heard(&frame(TEXT | RSV1, &payload)), (vec![text(&noise)], Ok(())));
    }
}

#[test]
fn a_limit_raised_after_the_first_message_holds_for_what_the_next_inflates_to() {
    let bytes =
        [frame(TEXT | RSV1, &deflated(b"hello")), frame(TEXT | RSV1, &deflated(&[b'x'; 5000]))].concat();
    let mut decoder = Decoder::new(4096).deflating(true);
    assert_eq!(decode(&mut decoder, &bytes, &[]), (vec![text("hello")], Err(Violation::TooBig)));

    let mut decoder = Decoder::new(4096).deflating(true);
    let mut said: Vec<Said> = Vec::new();
    let mut note = |event: Event<'_>| {
        said.push(event.into());
        Flow::Pause
    };
    decoder.feed(&mut bytes.clone(), &mut note).unwrap();
    decoder.set_message_limit(LIMIT);
    decoder.resume(&mut note).unwrap();
    assert_eq!(said, [text("hello"), text(&"x".repeat(5000))]);
}

#[test]
fn what_is_held_within_a_message_is_what_came_and_nothing_after_it() {
    let mut decoder = deflating();
    let payload = deflated(long().as_bytes());
    let bytes = frame(TEXT | RSV1, &payload);
    assert_eq!(decode(&mut decoder, &bytes[..1000], &[]), (Vec::new(), Ok(())));
    assert!(decoder.mid_message());
    assert!(decoder.spilled_bytes() < 1000 + 512, "{} bytes for a thousand", decoder.spilled_bytes());
    assert_eq!(decode(&mut decoder, &bytes[1000..], &[]), (vec![text(&long())], Ok(())));
    assert_eq!((decoder.spilled_bytes(), decoder.mid_message()), (0, false));
}

/// A message, whether it is compressed, where it is cut into frames and under which key, and a ping between them.
type Spoken = (String, bool, (Vec<Index>, [u8; 4]), Option<Vec<u8>>);

fn spoken() -> impl Strategy<Value = Spoken> {
    let text = prop_oneof![
        4 => "\\PC{0,60}",
        1 => (any::<char>(), 0..LIMIT / 4).prop_map(|(character, count)| character.to_string().repeat(count)),
        1 => vec("[a-z ]{1,9}", 0..2000).prop_map(|words| words.concat()),
    ];
    (
        text,
        any::<bool>(),
        (vec(any::<Index>(), 0..6), any::<[u8; 4]>()),
        proptest::option::of(vec(any::<u8>(), 0..=125)),
    )
}

/// The frames of a message, and what they say.
fn speak((message, compressed, (cuts, key), ping): &Spoken) -> (Vec<u8>, Vec<Said>) {
    let payload = if *compressed { deflated(message.as_bytes()) } else { message.clone().into_bytes() };
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    ends.push(payload.len());
    ends.sort_unstable();
    let (mut bytes, mut said, mut from) = (Vec::new(), Vec::new(), 0);
    for (index, end) in ends.iter().enumerate() {
        let first = if index == 0 { 0x01 | if *compressed { RSV1 } else { 0 } } else { 0 };
        let last = if index + 1 == ends.len() { 0x80 } else { 0 };
        bytes.extend(masked_frame(first | last, &payload[from..*end], *key));
        from = *end;
        if let (Some(ping), 0) = (ping, last) {
            bytes.extend(masked_frame(PING, ping, *key));
            said.push(Said::Ping(ping.clone()));
        }
    }
    said.push(text(message));
    (bytes, said)
}

proptest! {
    #[test]
    fn any_message_however_cut_masked_or_compressed_is_itself(
        script in vec(spoken(), 1..6),
        sizes in prop_oneof![vec(1_usize..16, 1..6), vec(1_usize..3000, 1..6)],
    ) {
        let (bytes, said): (Vec<_>, Vec<_>) = script.iter().map(speak).unzip();
        let mut decoder = deflating();
        prop_assert_eq!(decode(&mut decoder, &bytes.concat(), &sizes), (said.concat(), Ok(())));
        prop_assert_eq!(decoder.spilled_bytes(), 0);
    }

    #[test]
    fn damaged_frames_never_panic_and_stay_bounded(
        script in vec(spoken(), 1..4),
        damage in vec((any::<Index>(), any::<u8>()), 1..5),
        size in 1_usize..3000,
    ) {
        let mut bytes: Vec<u8> = script.iter().flat_map(|spoken| speak(spoken).0).collect();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        bounded(&bytes, size)?;
        prop_assert_eq!(decode(&mut deflating(), &bytes, &[size]), decode(&mut deflating(), &bytes, &[]));
    }

    #[test]
    fn random_frames_never_panic_and_stay_bounded(
        frames in vec((any::<u8>(), vec(any::<u8>(), 0..200)), 1..12),
        size in 1_usize..300,
    ) {
        // Mostly known opcodes with RSV1 or without, or nothing would get past its first frame.
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload)| frame(if first % 16 == 15 { *first } else { first & 0xc9 }, payload))
            .collect();
        bounded(&bytes, size)?;
    }
}

/// Feeds everything in pieces and looks at the memory held after each.
fn bounded(bytes: &[u8], size: usize) -> Result<(), TestCaseError> {
    let mut decoder = deflating();
    for piece in bytes.chunks(size) {
        let result = decoder.feed(&mut piece.to_vec(), |event| {
            if let Event::Text(text) = event {
                assert!(text.len() <= LIMIT, "{}", text.len());
            }
            Flow::Continue
        });
        prop_assert!(
            decoder.spilled_bytes() <= most_deflated(LIMIT) + 512,
            "{} bytes",
            decoder.spilled_bytes()
        );
        prop_assert!(decoder.mid_message() || decoder.spilled_bytes() == 0);
        if result.is_err() {
            prop_assert_eq!(decoder.spilled_bytes(), 0);
            break;
        }
    }
    Ok(())
}
