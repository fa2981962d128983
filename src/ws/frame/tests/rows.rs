//! The wrong-frame rows of the bad-input matrix, W1 to W5 and W9 to W13. W6 to W8 are `deflate`'s, W10 is the connection's count.

use super::*;

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
            [frame(FIRST, b""), frame(NEXT, b"").repeat(MAX_FRAGMENTS as usize)].concat(),
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
    let before = [frame(FIRST, b""), frame(NEXT, b"").repeat((MAX_FRAGMENTS as usize) - 1)].concat();
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
    let between = frame(NEXT, b"x").repeat((MAX_FRAGMENTS as usize) - 2);
    let bytes = [frame(FIRST, b"x"), between, frame(LAST, b"x")].concat();
    assert_eq!(told(&bytes), (vec![text(&"x".repeat(MAX_FRAGMENTS as usize))], Ok(())));
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
