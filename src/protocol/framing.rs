//! How an encoded message is put on a stream: as a WebSocket frame, or as a server-sent event.
//!
//! Responsible for the bytes around a payload that is already JSON, for both kinds of listeners. It is not
//! responsible for reading frames (`ws/frame` does), for the payload, or for when anything is written. It
//! stands below the hub, because the hub encodes an entry once per node and hands the same bytes to every
//! socket: every function appends whole frames to a buffer that may hold a batch, and a server's frames carry
//! no mask, so they are the same for everyone.

use bytes::{BufMut as _, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::deflate;

/// Most payload bytes of a control frame (RFC 6455, 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// Most bytes of a close frame's reason: a control frame's payload less the two bytes of the code.
pub const MAX_CLOSE_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// A comment of an event stream: keeps proxies from closing a silent one, and no client sees it as an event.
pub const EVENT_STREAM_COMMENT: &[u8] = b":\n\n";

/// The kinds of streams a message is framed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// An RFC 6455 text frame, see [`text_frame`].
    WebSocket,
    /// The same, compressed where that pays, see [`deflate::put_text_frame`].
    Deflated,
    /// A server-sent event, see [`event_stream`].
    EventStream,
}

impl Framing {
    /// Every framing, at the index that it has as a number.
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Deflated, Self::EventStream];

    /// The same without compressing.
    #[must_use]
    pub fn uncompressed(self) -> Self {
        if self == Self::Deflated { Self::WebSocket } else { self }
    }

    /// Appends one message in this framing; whether that compressed it. A WebSocket frame has no place for
    /// `event` and `id`; its payload says both.
    pub fn encode(self, event: &str, id: Option<&str>, data: &[u8], out: &mut BytesMut) -> bool {
        match self {
            Self::Deflated if deflate::put_text_frame(data, out) => return true,
            Self::WebSocket | Self::Deflated => text_frame(data, out),
            Self::EventStream => event_stream(event, id, data, out),
        }
        false
    }
}

/// Appends one unfragmented server text frame (RFC 6455, 5.2). `payload` must be UTF-8, as all JSON is.
pub fn text_frame(payload: &[u8], out: &mut BytesMut) {
    put_frame(text_header(), payload, out);
}

/// Appends a text frame whose payload is a compressed message: RSV1 says so (RFC 7692, 6).
pub(super) fn deflated_text_frame(payload: &[u8], out: &mut BytesMut) {
    put_frame(FrameHeader { rsv1: true, ..text_header() }, payload, out);
}

fn text_header() -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() }
}

/// A ping. A payload beyond [`MAX_CONTROL_PAYLOAD`] is cut there.
#[must_use]
pub fn ping_frame(payload: &[u8]) -> Bytes {
    control_frame(Control::Ping, payload)
}

/// The answer to a ping, which carries the ping's payload; beyond [`MAX_CONTROL_PAYLOAD`] it is cut.
#[must_use]
pub fn pong_frame(payload: &[u8]) -> Bytes {
    control_frame(Control::Pong, payload)
}

/// A close frame. `code` must be one that may be sent (RFC 6455, 7.4: not 1004 to 1006, not 1015); `reason`
/// is cut at the last whole character within [`MAX_CLOSE_REASON`] bytes.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(MAX_CLOSE_REASON)];
    let mut payload = [0; MAX_CONTROL_PAYLOAD];
    let size = 2 + reason.len();
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..size].copy_from_slice(reason.as_bytes());
    control_frame(Control::Close, &payload[..size])
}

/// Appends one server-sent event (WHATWG HTML, 9.2.6). `data` must be UTF-8; every line of it gets a `data:`
/// of its own, and a client joins them again with line feeds. `event` and `id` are cut at their first line
/// break or NUL, because the format cannot carry one and the rest would be read as fields.
pub fn event_stream(event: &str, id: Option<&str>, data: &[u8], out: &mut BytesMut) {
    // "event: ", "id: ", "data: " and four line ends: exact for a single line, which JSON is.
    out.reserve(event.len() + id.map_or(0, str::len) + data.len() + 21);
    put_field("event", one_line(event).as_bytes(), out);
    if let Some(id) = id {
        put_field("id", one_line(id).as_bytes(), out);
    }
    let mut rest = Some(data);
    while let Some(text) = rest {
        let (line, after) = split_line(text);
        put_field("data", line, out);
        rest = after;
    }
    out.put_u8(b'\n');
}

fn control_frame(kind: Control, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    let header = FrameHeader { opcode: OpCode::Control(kind), ..FrameHeader::default() };
    put_frame(header, &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)], &mut out);
    out.freeze()
}

fn put_frame(header: FrameHeader, payload: &[u8], out: &mut BytesMut) {
    let length = payload.len() as u64;
    out.reserve(header.len(length) + payload.len());
    header.format(length, &mut (&mut *out).writer()).expect("writing to memory cannot fail");
    out.put_slice(payload);
}

fn put_field(name: &str, value: &[u8], out: &mut BytesMut) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_u8(b'\n');
}

fn one_line(text: &str) -> &str {
    text.split(['\r', '\n', '\0']).next().unwrap_or_default()
}

/// The first line, and what follows its end (CR LF, LF or CR, as an event stream reads them) if there was
/// one.
fn split_line(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(end) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else { return (text, None) };
    let after = if text[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
    (&text[..end], Some(&text[after..]))
}

#[cfg(test)]
mod tests {
    use super::{
        Framing, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, close_frame, event_stream, ping_frame, pong_frame,
        text_frame,
    };
    use bytes::BytesMut;
    use std::io::Cursor;
    use tungstenite::protocol::{Message, Role, WebSocket};

    /// The messages a tungstenite client reads from `bytes`.
    fn read_as_client(bytes: &[u8], count: usize) -> Vec<Message> {
        let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Client, None);
        (0..count).map(|_| socket.read().expect("a message")).collect()
    }

    fn framed(framing: Framing, id: Option<&str>, data: &str) -> BytesMut {
        let mut out = BytesMut::new();
        framing.encode("chat", id, data.as_bytes(), &mut out);
        out
    }

    #[test]
    fn text_frames_of_every_length_form_are_read_by_a_client() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let text = "x".repeat(size);
            let mut out = BytesMut::new();
            text_frame(text.as_bytes(), &mut out);
            assert_eq!(out[0], 0x81, "final, text, no extension");
            assert_eq!(out[1] & 0x80, 0, "a server does not mask");
            assert_eq!(read_as_client(&out, 1), [Message::text(text)]);
        }
    }

    #[test]
    fn a_batch_is_frames_one_after_another() {
        let mut out = BytesMut::new();
        for text in ["one", "two", "drei: ü"] {
            text_frame(text.as_bytes(), &mut out);
        }
        assert_eq!(read_as_client(&out, 3), ["one", "two", "drei: ü"].map(Message::text));
    }

    #[test]
    fn control_frames_are_read_by_a_client_and_never_too_long() {
        assert_eq!(&ping_frame(b"p")[..], b"\x89\x01p");
        assert_eq!(&pong_frame(b"")[..], b"\x8a\x00");
        let long = [b'x'; MAX_CONTROL_PAYLOAD + 1];
        assert_eq!(read_as_client(&pong_frame(&long), 1), [Message::Pong(long[1..].to_vec().into())]);
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        for (reason, kept) in [
            ("going", "going".to_owned()),
            ("", String::new()),
            (&"x".repeat(MAX_CLOSE_REASON + 1), "x".repeat(MAX_CLOSE_REASON)),
            // 123 is no multiple of 4: the last whole character ends at 120.
            (&"🎬".repeat(40), "🎬".repeat(30)),
        ] {
            match &read_as_client(&close_frame(4408, reason), 1)[..] {
                [Message::Close(Some(close))] => {
                    assert_eq!((u16::from(close.code), close.reason.as_str()), (4408, kept.as_str()));
                }
                other => panic!("not a close: {other:?}"),
            }
        }
    }

    #[test]
    fn an_event_has_its_type_its_id_and_its_data() {
        let with_id = framed(Framing::EventStream, Some("e1:7"), "{\"seq\":7}");
        assert_eq!(&with_id[..], b"event: chat\nid: e1:7\ndata: {\"seq\":7}\n\n");
        assert_eq!(&framed(Framing::EventStream, None, "{}")[..], b"event: chat\ndata: {}\n\n");
        assert_eq!(&framed(Framing::WebSocket, Some("e1:7"), "{}")[..], b"\x81\x02{}");
    }

    #[test]
    fn no_line_break_escapes_its_field() {
        let mut out = BytesMut::new();
        event_stream("a\nid: 9", Some("7\rdata: forged"), b"one\ntwo\r\nthree\rfour\n", &mut out);
        let text = std::str::from_utf8(&out).expect("text");
        assert_eq!(text, "event: a\nid: 7\ndata: one\ndata: two\ndata: three\ndata: four\ndata: \n\n");
    }
}
