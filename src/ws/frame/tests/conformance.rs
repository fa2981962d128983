//! What conformance suites ask of a server's reading side, so that no run of ours depends on having one (`scripts/autobahn.sh` runs
//! Autobahn): by its groups, where `rows` and `deflate` do not ask it already. Under raised limits and with binary messages, as suites need.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressionStrategy, CompressorOxide};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};

use super::*;

const BINARY: u8 = 0x82;

fn decoder() -> Decoder {
    Decoder::with(Rules { message_bytes: 16 * 1024 * 1024, fragments: 1 << 17, deflate: true, binary: true })
}

/// What comes of frames, in chops of these sizes; whole without one.
fn heard(bytes: &[u8], chops: &[usize]) -> Told {
    let mut decoder = decoder();
    let told = decode(&mut decoder, bytes, chops);
    assert!(decoder.mid_message() || decoder.spilled_bytes() == 0);
    told
}

/// However it is chopped.
fn told(bytes: &[u8]) -> Told {
    let whole = heard(bytes, &[]);
    for chops in [&[1][..], &[997]] {
        assert_eq!(heard(bytes, chops), whole, "in chops of {chops:?}");
    }
    whole
}

/// A message in frames of so many bytes.
fn fragmented(first_byte: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let pieces: Vec<&[u8]> = if payload.is_empty() { vec![payload] } else { payload.chunks(size).collect() };
    let last = pieces.len() - 1;
    let frames = pieces.iter().enumerate().map(|(index, piece)| {
        let first = if index == 0 { first_byte & !0x80 } else { NEXT };
        frame(first | if index == last { 0x80 } else { 0 }, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

#[test]
fn group_1_messages_of_every_length_form() {
    for size in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1 << 20] {
        let payload = "*".repeat(size);
        assert_eq!(heard(&frame(TEXT, payload.as_bytes()), &[997]), (vec![text(&payload)], Ok(())), "{size}");
        let bytes = vec![0xfe; size];
        assert_eq!(heard(&frame(BINARY, &bytes), &[997]), (vec![Said::Binary(bytes)], Ok(())), "{size}");
    }
    let small = told(&frame(BINARY, b"\0\xff"));
    assert_eq!(small, (vec![Said::Binary(b"\0\xff".to_vec())], Ok(())));
}

#[test]
fn group_2_pings_and_pongs() {
    let (mut bytes, mut said) = (Vec::new(), Vec::new());
    for payload in [&b""[..], b"hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", &[0xfe; 125]] {
        bytes.extend([frame(PING, payload), frame(PONG, payload)].concat());
        said.extend([Said::Ping(payload.to_vec()), Said::Pong(payload.to_vec())]);
    }
    for number in 0..10_u8 {
        bytes.extend(frame(PING, &[number]));
        said.push(Said::Ping(vec![number]));
    }
    assert_eq!(told(&bytes), (said, Ok(())));
    assert_eq!(told(&frame(PING, &[0xfe; 126])), (Vec::new(), Err(Violation::ControlTooLong)));
}

#[test]
fn groups_3_and_4_reserved_bits_and_opcodes() {
    let before = [frame(TEXT, b"before"), frame(PING, b"")].concat();
    let refused = |bytes: Vec<u8>, violation| {
        let told = told(&[&before[..], &bytes, &frame(PING, b"after")].concat());
        assert_eq!(told, (vec![text("before"), Said::Ping(Vec::new())], Err(violation)), "{bytes:x?}");
    };
    for rsv in 1..8_u8 {
        for first in [TEXT, BINARY, FIRST, PING, PONG, CLOSE] {
            // Alone on the first frame of a message RSV1 means that it is compressed.
            let means = rsv == 4 && matches!(first, TEXT | BINARY | FIRST);
            if !means {
                refused(frame(first | rsv << 4, b""), Violation::ReservedBit);
            }
        }
        refused([frame(FIRST, b"a"), frame(LAST | rsv << 4, b"")].concat(), Violation::ReservedBit);
    }
    for opcode in (3..8).chain(11..16) {
        for payload in [&b""[..], b"payload"] {
            refused(frame(0x80 | opcode, payload), Violation::ReservedOpcode);
        }
    }
}

/// Frames, what is heard of them, and what ends it.
type Bad<'f> = (&'f [&'f [u8]], Vec<Said>, Violation);

#[test]
fn group_5_what_may_follow_what() {
    let (begin, next, end, whole) =
        (frame(FIRST, b"1"), frame(NEXT, b"2"), frame(LAST, b"3"), frame(TEXT, b"4"));
    let (ping, binary) = (frame(PING, b"p"), frame(0x02, b"b"));
    let pinged = || Said::Ping(b"p".to_vec());
    let good: [(&[&[u8]], Vec<Said>); 5] = [
        (&[&begin, &end], vec![text("13")]),
        (&[&begin, &ping, &end], vec![pinged(), text("13")]),
        (&[&begin, &next, &ping, &next, &next, &ping, &end], vec![pinged(), pinged(), text("12223")]),
        (&[&whole, &begin, &end, &whole], vec![text("4"), text("13"), text("4")]),
        (&[&binary, &ping, &end, &begin, &end], vec![pinged(), Said::Binary(b"b3".to_vec()), text("13")]),
    ];
    for (frames, said) in good {
        assert_eq!(told(&frames.concat()), (said, Ok(())));
    }
    let bad: [Bad<'_>; 9] = [
        (&[&end, &whole], vec![], Violation::StrayContinuation),
        (&[&next, &whole], vec![], Violation::StrayContinuation),
        (&[&begin, &end, &next, &whole], vec![text("13")], Violation::StrayContinuation),
        (&[&begin, &end, &end], vec![text("13")], Violation::StrayContinuation),
        (&[&begin, &begin], vec![], Violation::Interleaved),
        (&[&begin, &whole], vec![], Violation::Interleaved),
        (&[&begin, &ping, &binary], vec![pinged()], Violation::Interleaved),
        (&[&frame(0x09, b"p"), &end], vec![], Violation::ControlFragmented),
        (&[&frame(0x0a, b"p"), &end], vec![], Violation::ControlFragmented),
    ];
    for (frames, said, violation) in bad {
        assert_eq!(told(&frames.concat()), (said, Err(violation)));
    }
}

/// Bytes at which RFC 3629 changes its mind, on either side.
const EDGES: [u8; 24] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xef,
    0xf0, 0xf1, 0xf4, 0xf5, 0xf8, 0xfc, 0xff,
];

#[test]
fn group_6_text_is_refused_at_the_first_byte_that_cannot_be() {
    let four = EDGES[6..].iter().flat_map(|first| EDGES.map(|second| [*first, second]));
    let sequences = four.flat_map(|[a, b]| EDGES.map(|c| [a, b, c])).flat_map(|[a, b, c]| {
        [[a, b, c, 0x80], [a, b, c, 0xbf], [a, b, c, b'x']]
            .map(|sequence| [b"\xce\xba", &sequence[..]].concat())
    });
    for sequence in sequences {
        // Where the standard library, which was not written here, finds the first byte that no continuation could save.
        let cannot = str::from_utf8(&sequence).err().map(|error| (error.valid_up_to(), error.error_len()));
        let whole = decode(&mut decoder(), &frame(TEXT, &sequence), &[]);
        match cannot {
            None => assert_eq!(
                whole,
                (vec![text(str::from_utf8(&sequence).expect("valid"))], Ok(())),
                "{sequence:x?}"
            ),
            Some(_) => assert_eq!(whole, (Vec::new(), Err(Violation::NotUtf8)), "{sequence:x?}"),
        }
        // A frame a byte: refused with the frame that has it, or at the end of what is cut short.
        let mut decoder = decoder();
        let refused = (0..sequence.len()).find(|at| {
            let first = if *at == 0 { FIRST } else { NEXT };
            decode(&mut decoder, &frame(first, &sequence[*at..=*at]), &[]).1.is_err()
        });
        let expected = match cannot {
            None | Some((_, None)) => None,
            Some((valid, Some(length))) => {
                // `length` bytes begin like a character; the one behind them, or a lone one, is the one.
                let lone = str::from_utf8(&sequence[valid..=valid]).err().and_then(|error| error.error_len());
                Some(if lone.is_some() { valid } else { valid + length })
            }
        };
        assert_eq!(refused, expected, "{sequence:x?}");
        if refused.is_none() {
            let end = decode(&mut decoder, &frame(LAST, b""), &[]).1;
            assert_eq!(end.is_err(), cannot.is_some(), "{sequence:x?}");
        }
    }
}

#[test]
fn group_7_closes() {
    for code in 0..=5100_u16 {
        let allowed = matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999);
        let heard = decode(&mut decoder(), &close(code, b""), &[]);
        let expected = match allowed {
            true => (vec![Said::Close(Some((code, String::new())))], Ok(())),
            false => (Vec::new(), Err(Violation::CloseCode)),
        };
        assert_eq!(heard, expected, "{code}");
    }
    for (bytes, expected) in [
        (frame(CLOSE, b""), Ok(Said::Close(None))),
        (frame(CLOSE, b"\x03"), Err(Violation::CloseBody)),
        (close(1000, &[b'x'; 123]), Ok(Said::Close(Some((1000, "x".repeat(123)))))),
        (close(1000, &[b'x'; 124]), Err(Violation::ControlTooLong)),
        (close(1000, b"\xce\xba\xed\xa0\x80"), Err(Violation::NotUtf8)),
        (close(65_535, b""), Err(Violation::CloseCode)),
    ] {
        let expected = match expected {
            Ok(said) => (vec![said], Ok(())),
            Err(violation) => (Vec::new(), Err(violation)),
        };
        // Whatever follows a close is not heard, and nor is the rest of a message around it.
        for after in [
            &b""[..],
            &frame(CLOSE, b""),
            &frame(PING, b"late"),
            &frame(TEXT, b"late"),
            &frame(LAST, b"rest"),
        ] {
            assert_eq!(told(&[&bytes, after].concat()), expected, "{after:x?}");
            let within = told(&[&frame(FIRST, b"begun"), &bytes[..], after].concat());
            assert_eq!(within, expected, "{after:x?}");
        }
    }
}

#[test]
fn group_10_a_message_in_frames_of_1300_bytes() {
    let payload = "*".repeat(65_536);
    let told = decode(&mut Decoder::new(LIMIT), &fragmented(TEXT, payload.as_bytes(), 1300), &[1400]);
    assert_eq!(told, (vec![text(&payload)], Ok(())), "with the bounds that everybody has");
}

/// A message as a sender of these settings makes it.
fn deflated_by((level, bits): (u8, u8), payload: &[u8]) -> Vec<u8> {
    let strategy = CompressionStrategy::Default;
    let mut state = Box::new(CompressorOxide::with_params(DataFormat::Raw, level, strategy, bits));
    let mut out = vec![0; payload.len() * 2 + 64];
    let done = deflate(&mut state, payload, &mut out, MZFlush::Sync);
    assert_eq!((done.status, done.bytes_consumed), (Ok(MZStatus::Ok), payload.len()));
    out.truncate(done.bytes_written - 4);
    out
}

/// Like a document, like a picture, and like nothing else.
fn contents(size: usize) -> [Vec<u8>; 3] {
    let mut random = fastrand::Rng::with_seed(size as u64);
    let document: String =
        (0..size).map(|at| if at % 7 == 0 { ' ' } else { random.char('a'..='k') }).collect();
    let picture = (0..size).map(|at| (at / 512) as u8 ^ random.u8(0..4)).collect();
    [document.into_bytes(), picture, (0..size).map(|_| random.u8(..)).collect()]
}

#[test]
fn groups_12_and_13_compressed_messages_of_all_sizes_cuts_and_settings() {
    for (size, frames) in [
        (0, usize::MAX),
        (16, usize::MAX),
        (64, 1),
        (256, usize::MAX),
        (1024, usize::MAX),
        (8192, 256),
        (32_768, usize::MAX),
        (65_536, 256),
        (131_072, 1024),
        (131_072, 32_768),
    ] {
        for payload in contents(size) {
            for settings in [(0, 15), (1, 15), (6, 9), (6, 12), (9, 15)] {
                let bytes = deflated_by(settings, &payload);
                let what = format!("{size} bytes in frames of {frames} by {settings:?}");
                let binary = [fragmented(BINARY | RSV1, &bytes, frames), frame(BINARY, &payload)].concat();
                let said = vec![Said::Binary(payload.clone()); 2];
                assert_eq!(heard(&binary, &[1460]), (said, Ok(())), "{what}");
                let Ok(utf8) = str::from_utf8(&payload) else { continue };
                let texts = fragmented(TEXT | RSV1, &bytes, frames);
                assert_eq!(heard(&texts, &[64 * 1024]), (vec![text(utf8)], Ok(())), "{what}");
            }
        }
    }
}
