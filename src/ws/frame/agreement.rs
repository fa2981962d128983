//! The decoder against tungstenite, an implementation that was not written here: the same bytes, cut
//! anywhere, must give the same messages and the same verdict, save for the rules we keep and tungstenite
//! does not.

use super::tests::{LIMIT, Said, Told, decode, frame};
use super::{Decoder, Event, Flow, Violation};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::io::{self, Cursor, Read, Write};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{Message, Role, WebSocket, WebSocketConfig};

/// A message or control frame a client sends.
#[derive(Debug, Clone)]
enum Item {
    /// A text, where it is cut into fragments, and a ping that goes between them.
    Text(String, Vec<Index>, Option<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn item() -> impl Strategy<Value = Item> {
    let payload = || vec(any::<u8>(), 0..=125);
    let text = prop_oneof![
        6 => "\\PC{0,40}",
        1 => (any::<char>(), 0..LIMIT / 4).prop_map(|(character, count)| character.to_string().repeat(count)),
    ];
    prop_oneof![
        4 => (text, vec(any::<Index>(), 0..5), proptest::option::of(payload()))
            .prop_map(|(text, cuts, ping)| Item::Text(text, cuts, ping)),
        1 => payload().prop_map(Item::Ping),
        1 => payload().prop_map(Item::Pong),
    ]
}

/// The body of a close frame: a code and a reason, or nothing.
type CloseBody = Option<(u16, String)>;

/// A whole conversation, with or without a close.
type Script = (Vec<Item>, Option<CloseBody>);

fn script() -> impl Strategy<Value = Script> {
    let close = prop_oneof![Just(None), (1000_u16..1004, "[a-zß水]{0,20}").prop_map(Some)];
    (vec(item(), 0..8), proptest::option::of(close))
}

/// How reads cut the bytes: within headers, or within messages.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1_usize..16, 1..6), vec(1_usize..3000, 1..6)]
}

/// The client's bytes for a conversation, and what they say.
fn encode((items, close): &Script) -> (Vec<u8>, Vec<Said>) {
    let (mut bytes, mut said) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Text(text, cuts, ping) => encode_text(text, cuts, ping.as_ref(), (&mut bytes, &mut said)),
            Item::Ping(payload) => {
                bytes.extend(frame(0x89, payload));
                said.push(Said::Ping(payload.clone()));
            }
            Item::Pong(payload) => {
                bytes.extend(frame(0x8a, payload));
                said.push(Said::Pong(payload.clone()));
            }
        }
    }
    if let Some(close) = close {
        let body = close.as_ref().map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat());
        bytes.extend(frame(0x88, &body.unwrap_or_default()));
        said.push(Said::Close(close.clone()));
    }
    (bytes, said)
}

fn encode_text(
    text: &str,
    cuts: &[Index],
    ping: Option<&Vec<u8>>,
    (bytes, said): (&mut Vec<u8>, &mut Vec<Said>),
) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for (count, cut) in cuts.iter().enumerate() {
        bytes.extend(frame(if count == 0 { 0x01 } else { 0x00 }, &text.as_bytes()[from..*cut]));
        from = *cut;
        if let Some(payload) = ping {
            bytes.extend(frame(0x89, payload));
            said.push(Said::Ping(payload.clone()));
        }
    }
    bytes.extend(frame(if cuts.is_empty() { 0x81 } else { 0x80 }, &text.as_bytes()[from..]));
    said.push(Said::Text(text.to_owned()));
}

/// How a peer's bytes ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Refused,
}

/// Reads from memory and forgets what is written: tungstenite answers pings.
struct OneWay(Cursor<Vec<u8>>);

impl Read for OneWay {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for OneWay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a tungstenite server makes of the bytes. A binary message is kept as a text that says so.
fn tungstenite(bytes: &[u8]) -> (Vec<Said>, End) {
    let config = WebSocketConfig::default().max_frame_size(Some(LIMIT)).max_message_size(Some(LIMIT));
    let mut socket =
        WebSocket::from_raw_socket(OneWay(Cursor::new(bytes.to_vec())), Role::Server, Some(config));
    let mut said = Vec::new();
    loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => Said::Text(text.as_str().to_owned()),
            Ok(Message::Binary(_)) => Said::Text("(binary)".to_owned()),
            Ok(Message::Ping(payload)) => Said::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Said::Pong(payload.to_vec()),
            Ok(Message::Close(body)) => {
                Said::Close(body.map(|body| (body.code.into(), body.reason.as_str().to_owned())))
            }
            Ok(Message::Frame(_)) => panic!("never read"),
            Err(tungstenite::Error::ConnectionClosed) => return (said, End::Closed),
            Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (said, End::Open);
            }
            Err(_) => return (said, End::Refused),
        });
    }
}

/// Holds our verdict about `bytes` against tungstenite's.
fn compare(bytes: &[u8], (said, result): Told) -> Result<(), TestCaseError> {
    let (theirs, end) = tungstenite(bytes);
    match result {
        Ok(()) => {
            let ours = if matches!(said.last(), Some(Said::Close(_))) { End::Closed } else { End::Open };
            prop_assert_eq!((said, ours), (theirs, end));
        }
        // Rules that tungstenite does not keep: it goes on, but agreed until there.
        Err(
            Violation::LongLength | Violation::Binary | Violation::CloseCode | Violation::TooManyFragments,
        ) => {
            prop_assert!(theirs.starts_with(&said), "{:?} does not begin with {:?}", theirs, said);
        }
        // Rules that both keep. We refuse a frame by its beginning and tungstenite awaits its end, which may
        // never come.
        Err(violation) => {
            prop_assert_eq!(said, theirs);
            prop_assert_ne!(end, End::Closed, "{}", violation);
        }
    }
    Ok(())
}

/// Feeds everything in pieces and looks at the memory held after each.
fn check_memory(bytes: &[u8], sizes: &[usize], limit: usize) -> Result<(), TestCaseError> {
    let mut decoder = Decoder::new(limit);
    let small = 512;
    for piece in bytes.chunks(sizes.iter().copied().max().unwrap_or(1).max(1)) {
        let result = decoder.feed(&mut piece.to_vec(), |_| Flow::Continue);
        prop_assert!(decoder.spilled_bytes() <= limit + small, "{} bytes", decoder.spilled_bytes());
        prop_assert!(decoder.mid_message() || decoder.spilled_bytes() == 0);
        if result.is_err() {
            prop_assert_eq!(decoder.spilled_bytes(), 0);
            break;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn good_conversations_are_understood_however_they_are_cut(script in script(), sizes in sizes()) {
        let (bytes, said) = encode(&script);
        let ours = decode(&mut Decoder::new(LIMIT), &bytes, &sizes);
        prop_assert_eq!(&ours, &(said, Ok(())));
        compare(&bytes, ours)?;
        check_memory(&bytes, &sizes, LIMIT)?;
    }

    #[test]
    fn pausing_anywhere_changes_nothing(
        script in script(),
        sizes in sizes(),
        pauses in vec(any::<bool>(), 1..9),
    ) {
        let (bytes, expected) = encode(&script);
        let mut decoder = Decoder::new(LIMIT);
        let mut said: Vec<Said> = Vec::new();
        let mut pauses = pauses.iter().cycle();
        let mut on = |event: Event<'_>| {
            said.push(event.into());
            if pauses.next() == Some(&true) { Flow::Pause } else { Flow::Continue }
        };
        for piece in bytes.chunks(sizes[0]) {
            prop_assert_eq!(decoder.feed(&mut piece.to_vec(), &mut on), Ok(()));
        }
        // Every resume gets past at least one event, so this many get past all.
        for _ in 0..=expected.len() {
            prop_assert_eq!(decoder.resume(&mut on), Ok(()));
        }
        prop_assert_eq!(said, expected);
        prop_assert_eq!(decoder.spilled_bytes(), 0);
    }

    #[test]
    fn damaged_conversations_get_the_verdict_tungstenite_gives(
        script in script(),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        length in any::<Index>(),
        sizes in sizes(),
    ) {
        let (mut bytes, _) = encode(&script);
        if !bytes.is_empty() {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] ^= byte;
            }
            bytes.truncate(length.index(bytes.len() * 2));
        }
        let ours = decode(&mut Decoder::new(LIMIT), &bytes, &sizes);
        prop_assert_eq!(&ours, &decode(&mut Decoder::new(LIMIT), &bytes, &[]));
        compare(&bytes, ours)?;
        check_memory(&bytes, &sizes, LIMIT)?;
    }

    #[test]
    fn random_headers_get_the_verdict_tungstenite_gives(
        frames in vec((any::<u8>(), vec(any::<u8>(), 0..140)), 1..12),
        sizes in sizes(),
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            // Mostly no reserved bits and known opcodes, or nothing would get past its first frame.
            .flat_map(|(first, payload)| frame(if first % 16 == 15 { *first } else { first & 0x89 }, payload))
            .collect();
        let ours = decode(&mut Decoder::new(LIMIT), &bytes, &sizes);
        compare(&bytes, ours)?;
    }

    #[test]
    fn random_bytes_never_panic_nor_pile_up(bytes in vec(any::<u8>(), 0..2000), sizes in sizes()) {
        compare(&bytes, decode(&mut Decoder::new(LIMIT), &bytes, &sizes))?;
        check_memory(&bytes, &sizes, 100)?;
    }
}
