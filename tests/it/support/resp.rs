//! A few dozen lines of RESP2, so that tests see Redis without the crate the gateway uses and without `redis-cli`.
//!
//! One connection per command: a test asks rarely, and no state can leak from one question into the next.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK` or a bulk string; bytes that are no UTF-8 are shown with replacement characters.
    Text(String),
    /// `:1`.
    Number(i64),
    /// `-ERR …`, without the dash.
    Error(String),
    /// A null string or array.
    Nil,
    /// An array.
    Array(Vec<Reply>),
}

impl Reply {
    /// As `redis-cli` prints it raw: one element a line, nothing for nil.
    pub fn text(&self) -> String {
        match self {
            Reply::Text(text) | Reply::Error(text) => text.clone(),
            Reply::Number(number) => number.to_string(),
            Reply::Nil => String::new(),
            Reply::Array(items) => items.iter().map(Reply::text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Sends one command to `127.0.0.1:port` over a connection of its own and reads its reply.
///
/// # Errors
/// When the server refuses, closes or does not speak RESP. An error *reply* is `Ok(Reply::Error)`.
pub async fn ask(port: u16, command: &[&str]) -> io::Result<Reply> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(&encode(command)).await?;
    read(&mut stream).await
}

/// A command as an array of bulk strings.
pub fn encode(command: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", command.len()).into_bytes();
    for word in command {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    out
}

/// Reads one reply.
///
/// # Errors
/// When the connection ends, or what comes is not RESP.
pub async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end_matches("\r\n");
    let Some(kind) = line.chars().next() else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let rest = &line[kind.len_utf8()..];
    match kind {
        '+' => Ok(Reply::Text(rest.to_owned())),
        '-' => Ok(Reply::Error(rest.to_owned())),
        ':' => Ok(Reply::Number(number(rest)?)),
        '$' => read_bulk(stream, number(rest)?).await,
        '*' => {
            let Ok(count) = usize::try_from(number(rest)?) else {
                return Ok(Reply::Nil);
            };
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(Box::pin(read(stream)).await?);
            }
            Ok(Reply::Array(items))
        }
        other => Err(io::Error::other(format!("not RESP: {other:?}"))),
    }
}

async fn read_bulk(stream: &mut BufReader<TcpStream>, length: i64) -> io::Result<Reply> {
    let Ok(length) = usize::try_from(length) else {
        return Ok(Reply::Nil);
    };
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes).await?;
    bytes.truncate(length);
    Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(io::Error::other)
}
