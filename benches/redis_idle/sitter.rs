//! Somebody who is connected and silent: a WebSocket that answers pings and reads over everything else.
//!
//! A bare socket with small buffers, as ten thousand of them sit in one process. It panics when the node ends the connection: then the
//! figure would be of fewer people than it says.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::raw::{RawFrame, upgrade_headers};

/// Holds a frame's head and most frames.
const BUFFER: usize = 512;
/// The opcode of a ping.
const PING: u8 = 9;
/// And of its answer.
const PONG: u8 = 10;

/// A connected participant.
pub(crate) struct Sitter(BufReader<TcpStream>);

impl Sitter {
    /// Connects and waits for the first frame, which is `welcome`.
    pub(crate) async fn sit(addr: SocketAddr, session: &str, token: &str) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the node listens");
        let mut sitter = Self(BufReader::with_capacity(BUFFER, stream));
        let mut head =
            format!("GET /ws/{session} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        for (name, value) in upgrade_headers() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        sitter.0.get_mut().write_all(head.as_bytes()).await.expect("an open socket");
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            sitter.0.read_line(&mut line).await.expect("an answer's head");
            assert!(!line.starts_with("HTTP/1.1") || line.starts_with("HTTP/1.1 101"), "{line}");
        }
        let (opcode, welcome) = sitter.frame().await;
        assert!(opcode == 1 && welcome.starts_with(br#"{"type":"welcome""#), "not welcome: {opcode}");
        sitter
    }

    /// Answers pings for ever.
    pub(crate) async fn stay(mut self) {
        loop {
            let (opcode, payload) = self.frame().await;
            assert_ne!(opcode, 8, "the node closed a connection");
            if opcode == PING {
                let pong = RawFrame::new(PONG, payload).encode();
                self.0.get_mut().write_all(&pong).await.expect("an open socket");
            }
        }
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let first = self.0.read_u8().await.expect("a frame");
        let length = match self.0.read_u8().await.expect("a frame") {
            126 => usize::from(self.0.read_u16().await.expect("a length")),
            127 => {
                usize::try_from(self.0.read_u64().await.expect("a length")).expect("a length of this machine")
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.expect("a whole frame");
        (first & 15, payload)
    }
}
