//! The decoder against the wrong-frame rows of the bad-input matrix (W1 to W13; W6 to W8 come with deflate,
//! W10 is the connection's count), and what it promises about memory, borrowing and pauses.

use super::{Decoder, Event, Flow, MAX_FRAGMENTS, Violation};

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
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
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
    let key = [0x37, 0xfa, 0x21, 0x3d];
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
fn w1_to_w3_wrong_headers_and_wrong_order() {
    let unmasked = |first_byte| vec![first_byte, 0x02, b'{', b'}'];
    check(vec![
        ("W1 unmasked text", unmasked(TEXT), Violation::Unmasked, 1002),
        ("W1 unmasked ping", unmasked(PING), Violation::Unmasked, 1002),
        ("W1 unmasked and empty", vec![TEXT, 0], Violation::Unmasked, 1002),
        ("W1 opcode 3", frame(0x83, b""), Violation::ReservedOpcode, 1002),
        ("W1 opcode 7", frame(0x87, b"x"), Violation::ReservedOpcode, 1002),
        ("W1 opcode 0xB", frame(0x8b, b""), Violation::ReservedOpcode, 1002),
        ("W1 opcode 0xF", frame(0x8f, b"x"), Violation::ReservedOpcode, 1002),
        ("W1 RSV2", frame(TEXT | 0x20, b"{}"), Violation::ReservedBit, 1002),
        ("W1 RSV3", frame(TEXT | 0x10, b"{}"), Violation::ReservedBit, 1002),
        ("W2 RSV1 not negotiated", frame(TEXT | RSV1, b"{}"), Violation::ReservedBit, 1002),
        ("W2 RSV1 on a ping", frame(PING | RSV1, b""), Violation::ReservedBit, 1002),
        (
            "W2 RSV1 on a continuation",
            [frame(FIRST, b"a"), frame(LAST | RSV1, b"b")].concat(),
            Violation::ReservedBit,
            1002,
        ),
        ("W3 ping of 126", frame(PING, &[0; 126]), Violation::ControlTooLong, 1002),
        ("W3 close of 126", close(1000, &[b'x'; 124]), Violation::ControlTooLong, 1002),
        ("W3 fragmented ping", frame(0x09, b""), Violation::ControlFragmented, 1002),
        ("W3 fragmented close", frame(0x08, b""), Violation::ControlFragmented, 1002),
        ("W3 continuation of nothing", frame(LAST, b"x"), Violation::StrayContinuation, 1002),
        ("W3 unfinished continuation of nothing", frame(NEXT, b"x"), Violation::StrayContinuation, 1002),
        (
            "W3 text inside fragments",
            [frame(FIRST, b"a"), frame(TEXT, b"b")].concat(),
            Violation::Interleaved,
            1002,
        ),
    ]);
}

#[test]
fn w4_w5_w9_wrong_lengths_and_too_much() {
    let declared = |form: u8, length: &[u8]| [&[TEXT, 0x80 | form], length, &[0; 4]].concat();
    check(vec![
        ("W4 length 2^63", declared(127, &(1_u64 << 63).to_be_bytes()), Violation::TooBig, 1009),
        ("W4 length 2^64 - 1", declared(127, &u64::MAX.to_be_bytes()), Violation::TooBig, 1009),
        ("W4 125 in two bytes", declared(126, &125_u16.to_be_bytes()), Violation::LongLength, 1002),
        ("W4 65535 in eight bytes", declared(127, &65_535_u64.to_be_bytes()), Violation::LongLength, 1002),
        (
            "W4 a ping's length in two bytes",
            [&[PING, 0x80 | 126, 0, 1][..], &[0; 5]].concat(),
            Violation::LongLength,
            1002,
        ),
        ("W5 one byte too many", frame(TEXT, &[b'x'; LIMIT + 1]), Violation::TooBig, 1009),
        (
            "W5 one byte too many in two frames",
            [frame(FIRST, &[b'x'; LIMIT]), frame(LAST, b"x")].concat(),
            Violation::TooBig,
            1009,
        ),
        (
            "W9 empty fragments without end",
            [frame(FIRST, b""), frame(NEXT, b"").repeat(usize::from(MAX_FRAGMENTS))].concat(),
            Violation::TooManyFragments,
            1009,
        ),
    ]);
}

#[test]
fn w11_to_w13_wrong_contents() {
    check(vec![
        ("W11 not UTF-8", frame(TEXT, b"a\xff"), Violation::NotUtf8, 1007),
        ("W11 surrogate", frame(TEXT, b"\xed\xa0\x80"), Violation::NotUtf8, 1007),
        ("W11 overlong", frame(TEXT, b"\xc0\xaf"), Violation::NotUtf8, 1007),
        ("W11 ends in a character", frame(TEXT, b"a\xf0\x9f\x8e"), Violation::NotUtf8, 1007),
        (
            "W11 split over frames",
            [frame(FIRST, b"\xf0\x9f"), frame(LAST, b"\x8e.")].concat(),
            Violation::NotUtf8,
            1007,
        ),
        (
            "W11 fragments end in a character",
            [frame(FIRST, b"\xf0\x9f"), frame(LAST, b"\x8e")].concat(),
            Violation::NotUtf8,
            1007,
        ),
        ("W11 close reason", close(1000, b"\xff"), Violation::NotUtf8, 1007),
        ("W12 close body of one byte", frame(CLOSE, b"\x03"), Violation::CloseBody, 1002),
        ("W13 binary", frame(0x82, b"{}"), Violation::Binary, 1003),
        ("W13 fragmented binary", frame(0x02, b"{}"), Violation::Binary, 1003),
    ]);
}

#[test]
fn w3_a_finished_message_has_no_continuation() {
    let bytes = [frame(FIRST, b"a"), frame(LAST, b"b"), frame(LAST, b"c")].concat();
    assert_eq!(told(&bytes), (vec![text("ab")], Err(Violation::StrayContinuation)));
}

#[test]
fn w9_the_65th_fragment_is_refused_by_its_header() {
    let before = [frame(FIRST, b""), frame(NEXT, b"").repeat(usize::from(MAX_FRAGMENTS) - 1)].concat();
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(decode(&mut decoder, &before, &[]), (Vec::new(), Ok(())));
    let longer = frame(NEXT, b"payload that never comes");
    assert_eq!(decode(&mut decoder, &longer[..6], &[]), (Vec::new(), Err(Violation::TooManyFragments)));
}

#[test]
fn w12_only_close_codes_of_the_wire_are_accepted() {
    for code in [0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 5000, 65_535] {
        assert_eq!(told(&close(code, b"")), (Vec::new(), Err(Violation::CloseCode)), "{code}");
    }
    assert_eq!(Violation::CloseCode.code(), 1002);
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        assert_eq!(
            told(&close(code, b"x")),
            (vec![Said::Close(Some((code, "x".to_owned())))], Ok(())),
            "{code}"
        );
    }
    assert_eq!(told(&frame(CLOSE, b"")), (vec![Said::Close(None)], Ok(())));
}

#[test]
fn w12_data_after_a_close_is_ignored() {
    let bytes =
        [frame(FIRST, b"unfinished"), close(1000, b""), frame(TEXT, b"late"), vec![0xff; 300]].concat();
    let (said, result) = told(&bytes);
    assert_eq!((said, result), (vec![Said::Close(Some((1000, String::new())))], Ok(())));

    let mut decoder = Decoder::new(LIMIT);
    decode(&mut decoder, &bytes, &[]).1.expect("a close");
    assert_eq!(decoder.spilled_bytes(), 0, "the unfinished message is freed");
    assert!(!decoder.mid_message());
}

#[test]
fn nothing_is_read_after_a_violation() {
    let mut decoder = Decoder::new(LIMIT);
    let broken = [frame(FIRST, b"a"), frame(0x82, b"b"), frame(LAST, b"c")].concat();
    assert_eq!(decode(&mut decoder, &broken, &[]), (Vec::new(), Err(Violation::Binary)));
    assert_eq!(decoder.spilled_bytes(), 0);
    assert_eq!(decode(&mut decoder, &frame(TEXT, b"late"), &[]), (Vec::new(), Ok(())));
}

#[test]
fn w5_the_limit_itself_is_allowed() {
    let whole = "x".repeat(LIMIT);
    assert_eq!(told(&frame(TEXT, whole.as_bytes())), (vec![text(&whole)], Ok(())));
    let (left, right) = whole.split_at(LIMIT / 3);
    let halves = [frame(FIRST, left.as_bytes()), frame(LAST, right.as_bytes())].concat();
    assert_eq!(told(&halves), (vec![text(&whole)], Ok(())));
}

#[test]
fn w9_the_last_allowed_fragment_may_end_the_message() {
    let between = frame(NEXT, b"x").repeat(usize::from(MAX_FRAGMENTS) - 2);
    let bytes = [frame(FIRST, b"x"), between, frame(LAST, b"x")].concat();
    assert_eq!(told(&bytes), (vec![text(&"x".repeat(usize::from(MAX_FRAGMENTS)))], Ok(())));
}

#[test]
fn w4_a_declared_length_allocates_nothing() {
    let mut decoder = Decoder::new(LIMIT);
    let mut header = frame(TEXT, &[b'x'; LIMIT]);
    header.truncate(14 + 10);
    assert_eq!(decode(&mut decoder, &header, &[]), (Vec::new(), Ok(())));
    assert!(decoder.mid_message());
    assert!(decoder.spilled_bytes() < 512, "{} bytes for ten that came", decoder.spilled_bytes());
}

#[test]
fn w11_bad_text_is_refused_before_the_rest_arrives() {
    let mut decoder = Decoder::new(LIMIT);
    let mut beginning = frame(TEXT, &[b"good \xed\xa0".as_slice(), &[b'x'; 1000]].concat());
    beginning.truncate(8 + 7);
    let (last, before) = beginning.split_last().expect("bytes");
    assert_eq!(decode(&mut decoder, before, &[]), (Vec::new(), Ok(())));
    assert_eq!(decode(&mut decoder, &[*last], &[]), (Vec::new(), Err(Violation::NotUtf8)));
}

#[test]
fn an_idle_decoder_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 24, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [frame(FIRST, &[b'x'; 5000]), frame(PING, b"p"), frame(LAST, &[b'y'; 5000])].concat();
    for cut in [1, 7, 3000, 5008, 5010, 5015, 9000] {
        assert_eq!(decode(&mut decoder, &bytes[..cut], &[]).1, Ok(()));
        assert!(decoder.mid_message(), "cut at {cut}");
        assert!(decoder.spilled_bytes() > 0, "cut at {cut}");
        assert_eq!(decode(&mut decoder, &bytes[cut..], &[]).1, Ok(()));
        assert!(!decoder.mid_message(), "cut at {cut}");
        assert_eq!(decoder.spilled_bytes(), 0, "cut at {cut}");
    }
}

#[test]
fn a_whole_frame_is_lent_from_the_bytes_it_came_in() {
    let mut decoder = Decoder::new(LIMIT);
    let mut bytes = [frame(TEXT, b"lent"), frame(PING, b"too")].concat();
    let place = bytes.as_ptr_range();
    let mut lent = 0;
    decoder
        .feed(&mut bytes, |event| {
            let at = match event {
                Event::Text(text) => text.as_ptr(),
                Event::Ping(payload) => payload.as_ptr(),
                other => panic!("unexpected {other:?}"),
            };
            assert!(place.contains(&at), "copied");
            lent += 1;
            Flow::Continue
        })
        .expect("two good frames");
    assert_eq!((lent, decoder.spilled_bytes()), (2, 0));
}

/// Feeds or resumes with a pause after the first event; the events said.
fn one(decoder: &mut Decoder, bytes: Option<&[u8]>) -> Vec<Said> {
    let mut said = Vec::new();
    let on = |event: Event<'_>| {
        said.push(event.into());
        Flow::Pause
    };
    match bytes {
        Some(bytes) => decoder.feed(&mut bytes.to_vec(), on),
        None => decoder.resume(on),
    }
    .expect("good frames");
    said
}

#[test]
fn a_pause_keeps_the_rest_and_resuming_goes_on_there() {
    let mut decoder = Decoder::new(LIMIT);
    let tail = frame(TEXT, b"four");
    let bytes =
        [frame(TEXT, b"one"), frame(FIRST, b"tw"), frame(LAST, b"o"), frame(PING, b"3"), tail[..5].to_vec()]
            .concat();
    assert_eq!(one(&mut decoder, Some(&bytes)), [text("one")]);
    assert!(!decoder.mid_message(), "it is we who wait");
    assert_eq!(one(&mut decoder, None), [text("two")]);
    assert_eq!(one(&mut decoder, None), [Said::Ping(b"3".to_vec())]);
    assert_eq!(one(&mut decoder, None), []);
    assert!(decoder.mid_message(), "now the client has to go on");
    assert_eq!(one(&mut decoder, Some(&tail[5..])), [text("four")]);
    assert_eq!(decoder.spilled_bytes(), 0);
    assert_eq!(one(&mut decoder, None), []);
}

#[test]
fn what_is_fed_during_a_pause_comes_after_what_was_kept() {
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(one(&mut decoder, Some(&[frame(TEXT, b"1"), frame(TEXT, b"2")].concat())), [text("1")]);
    assert_eq!(one(&mut decoder, Some(&frame(TEXT, b"3"))), [text("2")]);
    assert_eq!(one(&mut decoder, None), [text("3")]);
    assert_eq!(decoder.spilled_bytes(), 0);
}

#[test]
fn a_limit_raised_during_a_pause_holds_for_the_next_frame() {
    let after_hello = [frame(TEXT, b"hello"), frame(TEXT, &[b'x'; 5000])].concat();
    let mut decoder = Decoder::new(4096);
    assert_eq!(one(&mut decoder, Some(&after_hello)), [text("hello")]);
    decoder.set_message_limit(LIMIT);
    assert_eq!(one(&mut decoder, None), [text(&"x".repeat(5000))]);

    let unraised = decode(&mut Decoder::new(4096), &after_hello, &[]);
    assert_eq!(unraised, (vec![text("hello")], Err(Violation::TooBig)));
}

#[test]
fn a_close_ends_a_pause_for_good() {
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [close(1000, b""), frame(TEXT, b"late")].concat();
    assert_eq!(one(&mut decoder, Some(&bytes)), [Said::Close(Some((1000, String::new())))]);
    assert_eq!(decoder.spilled_bytes(), 0);
    assert_eq!(one(&mut decoder, None), []);
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
