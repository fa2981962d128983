//! A TCP client without manners: hand-made HTTP heads and WebSocket frames, right or wrong, and what comes back.
//!
//! It checks nothing it sends. What it reads it takes apart strictly, so a server that answers nonsense is noticed.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::wait::soon;

/// The key of RFC 6455's example; its accept value is [`ACCEPT`].
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a server answers to [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How a frame writes its length (RFC 6455, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The shortest form of the payload's length.
    Shortest,
    /// The 16-bit form, with any value.
    Two(u16),
    /// The 64-bit form, with any value.
    Eight(u64),
}

/// One frame to send, every bit of it.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// Last of its message.
    pub fin: bool,
    /// RSV1 to RSV3 as `0b100`, `0b010`, `0b001`.
    pub rsv: u8,
    /// 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// The masking key; a client without one breaks the protocol.
    pub mask: Option<[u8; 4]>,
    /// What the length field says; nothing holds it to the truth.
    pub length: Length,
    /// Before masking.
    pub payload: Vec<u8>,
}

impl RawFrame {
    /// A good frame of `opcode`.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> RawFrame {
        let mask = Some([0x12, 0x34, 0x56, 0x78]);
        RawFrame { fin: true, rsv: 0, opcode, mask, length: Length::Shortest, payload: payload.into() }
    }

    /// A good text frame.
    pub fn text(text: &str) -> RawFrame {
        RawFrame::new(1, text)
    }

    /// A close frame with `code` and `reason`.
    pub fn close(code: u16, reason: &[u8]) -> RawFrame {
        RawFrame::new(8, [&code.to_be_bytes()[..], reason].concat())
    }

    /// Its bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | (self.opcode & 15)];
        let masked = u8::from(self.mask.is_some()) << 7;
        let length = match (self.length, self.payload.len()) {
            (Length::Shortest, short @ 0..=125) => {
                out.push(masked | u8::try_from(short).expect("at most 125"));
                None
            }
            (Length::Shortest, long) => Some(match u16::try_from(long) {
                Ok(two) => Length::Two(two),
                Err(_) => Length::Eight(long as u64),
            }),
            (given, _) => Some(given),
        };
        match length {
            Some(Length::Two(value)) => {
                out.push(masked | 126);
                out.extend(value.to_be_bytes());
            }
            Some(Length::Eight(value)) => {
                out.push(masked | 127);
                out.extend(value.to_be_bytes());
            }
            _ => {}
        }
        let mask = self.mask.unwrap_or_default();
        out.extend(self.mask.iter().flatten());
        out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        out
    }
}

/// A frame a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFrame {
    /// Last of its message.
    pub fin: bool,
    /// RSV1 to RSV3.
    pub rsv: u8,
    /// The opcode.
    pub opcode: u8,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl ServerFrame {
    /// The JSON of a text frame.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// What a text frame says, inflated where RSV1 says that it is compressed.
    pub fn text(&self) -> String {
        assert_eq!((self.opcode, self.fin), (1, true), "not a whole text: {self:?}");
        let bytes = match self.rsv {
            0 => self.payload.clone(),
            4 => inflate(&self.payload),
            rsv => panic!("reserved bits {rsv:03b}"),
        };
        String::from_utf8(bytes).unwrap()
    }

    /// Code and reason of a close frame.
    pub fn close(&self) -> (u16, String) {
        assert_eq!(self.opcode, 8, "not a close frame: {self:?}");
        match &self.payload[..] {
            [] => (1005, String::new()),
            [high, low, reason @ ..] => {
                (u16::from_be_bytes([*high, *low]), String::from_utf8(reason.to_vec()).unwrap())
            }
            one => panic!("a close frame of one byte: {one:?}"),
        }
    }
}

/// A compressed message (RFC 7692, 7.2.2) that takes no context over: what was left off it is put back, and a last block behind that.
fn inflate(payload: &[u8]) -> Vec<u8> {
    let whole = [payload, &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    miniz_oxide::inflate::decompress_to_vec(&whole)
        .unwrap_or_else(|error| panic!("not deflate data: {error:?}"))
}

/// A message as a sender compresses it: its last block, and the first byte of the empty one behind it (RFC 7692, 7.2.3.4).
pub fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut bytes = miniz_oxide::deflate::compress_to_vec(payload, 6);
    bytes.push(0);
    bytes
}

/// The head of an HTTP answer, and its body when it has a `Content-Length`.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body, empty without `Content-Length`.
    pub body: Vec<u8>,
}

impl Head {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// One TCP connection.
pub struct RawClient {
    stream: BufReader<TcpStream>,
}

impl RawClient {
    /// Connects and says nothing.
    pub async fn connect(addr: SocketAddr) -> RawClient {
        let stream = soon("a connection", TcpStream::connect(addr)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        RawClient { stream: BufReader::new(stream) }
    }

    /// Connects and upgrades `path` with `headers` more; panics when the answer is not 101.
    pub async fn upgrade(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (RawClient, Head) {
        let mut client = RawClient::connect(addr).await;
        let mut all = upgrade_headers();
        all.extend_from_slice(headers);
        client.send_head("GET", path, &all).await;
        let head = client.read_head().await;
        assert_eq!(head.status, 101, "{head:?}");
        assert_eq!(head.header("sec-websocket-accept"), Some(ACCEPT));
        (client, head)
    }

    /// Sends bytes; false when the server has already ended the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        soon("a write", self.stream.get_mut().write_all(bytes)).await.is_ok()
    }

    /// Sends a request head with `Host` and exactly the given headers, as they stand.
    pub async fn send_head(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.send(text.as_bytes()).await
    }

    /// Sends one frame; false when the server has already ended the connection.
    pub async fn send_frame(&mut self, frame: &RawFrame) -> bool {
        self.send(&frame.encode()).await
    }

    /// Reads the head of an answer and its body.
    pub async fn read_head(&mut self) -> Head {
        let status_line = self.read_line().await;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.read_line().await;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut head = Head { status, headers, body: Vec::new() };
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        head.body = self.read_exact(length).await.unwrap();
        head
    }

    /// Reads an answer's head for its status alone; `None` when the connection ended instead.
    pub async fn read_status(&mut self) -> Option<u16> {
        if soon("the head of an answer", self.stream.fill_buf()).await.is_ok_and(|bytes| !bytes.is_empty()) {
            return Some(self.read_head().await.status);
        }
        None
    }

    async fn read_line(&mut self) -> String {
        let mut line = String::new();
        soon("a line of the head", self.stream.read_line(&mut line)).await.unwrap();
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a line without CRLF: {line:?}")).to_owned()
    }

    async fn read_exact(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        soon("bytes", self.stream.read_exact(&mut bytes)).await?;
        Ok(bytes)
    }

    /// The next frame; `None` when the connection ended instead.
    pub async fn read_frame(&mut self) -> Option<ServerFrame> {
        let start = self.read_exact(2).await.ok()?;
        assert_eq!(start[1] & 0x80, 0, "a server must not mask");
        let length = match start[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.read_exact(2).await.ok()?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.read_exact(8).await.ok()?.try_into().unwrap()),
            short => u64::from(short),
        };
        let payload = self.read_exact(usize::try_from(length).unwrap()).await.ok()?;
        Some(ServerFrame {
            fin: start[0] & 0x80 != 0,
            rsv: start[0] >> 4 & 7,
            opcode: start[0] & 15,
            payload,
        })
    }

    /// The next text frame, over control frames (a ping may come at any time); `None` when the connection ended instead.
    pub async fn read_text(&mut self) -> Option<ServerFrame> {
        loop {
            let frame = self.read_frame().await?;
            if frame.opcode == 1 {
                return Some(frame);
            }
        }
    }

    /// Reads over other frames to the close: code and reason, `None` when the connection ended without one.
    pub async fn read_close(&mut self) -> Option<(u16, String)> {
        loop {
            let frame = self.read_frame().await?;
            if frame.opcode == 8 {
                return Some(frame.close());
            }
        }
    }

    /// Says that nothing more will be sent (FIN); what comes back can still be read.
    pub async fn finish(&mut self) {
        // Fails only where the server has reset the connection already, and then nothing is left to say.
        let _ = self.stream.get_mut().shutdown().await;
    }

    /// Whether the server has ended the connection by now, as far as can be seen without waiting.
    pub fn has_ended(&self) -> bool {
        match self.stream.get_ref().try_read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Whether the server ends the connection (FIN or RST) without another byte.
    pub async fn ended(&mut self) -> bool {
        matches!(soon("the end", self.stream.read(&mut [0; 1])).await, Ok(0) | Err(_))
    }
}

/// What a correct upgrade carries beside `Host`.
pub fn upgrade_headers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ]
}
