//! A client just good enough for `doctor`: HTTP/1.1 requests, blocking, over TCP or TLS, one a connection, and the way to a socket.
//!
//! Not a client for anything else: no redirects, no compression. What is read is bounded, and every wait has an end.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::socket::{Socket, accept};

/// For each step: connecting, a read. A gateway that is well answers in milliseconds; a hash may have to wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer and frame of these few steps.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
/// Where systems keep the CAs they trust; the image has the first.
const CA_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Where the gateway is, and whom to trust on the way.
pub(super) struct Place {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

/// What a request was answered with; a body that is no JSON is null.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Place {
    /// Of `http://host[:port]` or `https://host[:port]`, without a path.
    pub(super) fn parse(url: &str, ca: Option<&Path>) -> Result<Self, String> {
        let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("--url: expected http://host:port or https://host".to_owned()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (authority, Some(if tls { 443 } else { 80 })),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let (Some(port), true) = (port, !host.is_empty() && host.bytes().all(plain)) else {
            return Err(
                "--url: expected an origin without a path, such as https://watch.example.org".to_owned()
            );
        };
        let tls = if tls { Some(Arc::new(trusting(ca)?)) } else { None };
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }

    fn authority(&self) -> String {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let failed = |error: std::io::Error| format!("no connection to {}: {error}", self.authority());
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs().map_err(failed)?;
        let address = addresses.next().ok_or_else(|| format!("{} has no address", self.host))?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| "TLS needs a host's name".to_owned())?;
        let session = ClientConnection::new(config.clone(), name).map_err(|error| error.to_string())?;
        Ok(Box::new(StreamOwned::new(session, stream)))
    }

    /// One request on a connection of its own.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Answer, String> {
        let failed = |error: std::io::Error| format!("{method} {path}: {error}");
        let mut stream = self.connect()?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.authority());
        request += &format!("User-Agent: watchparty-doctor\r\nContent-Length: {}\r\n", body.len());
        if !body.is_empty() {
            request += "Content-Type: application/json\r\n";
        }
        if let Some(token) = token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).map_err(failed)?;
        let (head, rest) = head(&mut *stream).map_err(failed)?;
        let body = match head.field("transfer-encoding") {
            Some("chunked") => chunks(&rest_of(&mut *stream, rest, None).map_err(failed)?),
            _ => rest_of(&mut *stream, rest, head.length()).map_err(failed)?,
        };
        Ok(Answer { status: head.status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// A socket that was accepted, with the protocol's own name.
    pub(super) fn socket(&self, path: &str) -> Result<Socket, String> {
        let failed = |error: std::io::Error| format!("GET {path}: {error}");
        let mut stream = self.connect()?;
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| "the system gives no random bytes".to_owned())?;
        let key = STANDARD.encode(nonce);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: watchparty.v1\r\n\r\n",
            self.authority()
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let (head, unread) = head(&mut *stream).map_err(failed)?;
        if head.status != 101 {
            return Err(format!(
                "the upgrade is answered with {}: does a proxy on the way pass it on?",
                head.status
            ));
        }
        if head.field("sec-websocket-accept") != Some(accept(&key).as_str()) {
            return Err("the upgrade is answered by something else than a WebSocket server".to_owned());
        }
        Ok(Socket::new(stream, unread))
    }
}

fn trusting(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let system = || CA_FILES.iter().map(Path::new).find(|path| path.exists());
    let path = ca.or_else(system).ok_or("no file of CAs on this system: name one with --ca")?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| format!("--ca: {error}"))?;
    roots.add_parsable_certificates(certificates.flatten());
    if roots.is_empty() {
        return Err("--ca: there is no certificate in it".to_owned());
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

struct Head {
    status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Self { status, fields: fields.collect() })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> Option<usize> {
        if self.status == 204 { Some(0) } else { self.field("content-length")?.parse().ok() }
    }
}

/// The head of an answer, and what came with it.
fn head(stream: &mut dyn Stream) -> std::io::Result<(Head, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&read[..end]).into_owned();
            let head =
                Head::parse(&text).ok_or_else(|| std::io::Error::other("the answer is not HTTP/1.1"))?;
            return Ok((head, read.split_off(end + 4)));
        }
        more(stream, &mut read)?;
    }
}

/// As much as is said, or all there is.
fn rest_of(stream: &mut dyn Stream, mut read: Vec<u8>, length: Option<usize>) -> std::io::Result<Vec<u8>> {
    while length.is_none_or(|length| read.len() < length) {
        match more(stream, &mut read) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && length.is_none() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// What is in the chunks of a whole body.
fn chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = String::from_utf8_lossy(&body[..end]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let Some(chunk) = body.get(end + 2..end + 2 + size).filter(|chunk| !chunk.is_empty()) else { break };
        whole.extend_from_slice(chunk);
        body = body.get(end + 4 + size..).unwrap_or_default();
    }
    whole
}

pub(super) fn more(stream: &mut dyn Stream, read: &mut Vec<u8>) -> std::io::Result<()> {
    let mut chunk = [0; 4096];
    if read.len() > BYTES_MAX {
        return Err(std::io::Error::other("the answer does not end"));
    }
    match stream.read(&mut chunk)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        length => {
            read.extend_from_slice(&chunk[..length]);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_apart_and_anything_else_refused() {
        let place = |url| Place::parse(url, None).map(|place| place.authority());
        assert_eq!(place("http://a.example:8080/").unwrap(), "a.example:8080");
        assert_eq!(place("http://a.example").unwrap(), "a.example");
        assert_eq!(place("http://[::1]:81").unwrap(), "[::1]:81");
        assert_eq!(place("http://[::1]").unwrap(), "[::1]");
        for wrong in
            ["", "ftp://a", "http://", "http://a/x", "http://a:b", "http://u@a", "http://a b", "http://a?x"]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_read_however_their_end_is_said() {
        let answer = |text: &str| {
            let mut stream = std::io::Cursor::new(text.as_bytes().to_vec());
            let (head, rest) = head(&mut stream).unwrap();
            let length = head.length();
            (head.status, rest_of(&mut stream, rest, length).unwrap())
        };
        assert_eq!(
            answer("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}more"),
            (201, b"{}more".to_vec())
        );
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n{}"), (200, b"{}".to_vec()));
        assert_eq!(answer("HTTP/1.0 204 No Content\r\n\r\n"), (204, Vec::new()));
        assert_eq!(chunks(b"4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n"), b"{\"a\":1}");
        assert_eq!(chunks(b"ff\r\nshort"), b"");
        let mut stream = std::io::Cursor::new(b"SSH-2.0\r\n\r\n".to_vec());
        assert!(head(&mut stream).is_err());
    }
}
