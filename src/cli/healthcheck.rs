//! `healthcheck`: one plain HTTP/1.1 request, two seconds, for containers that have no shell and no curl.
//!
//! Liveness is asked on the admin port where there is one, as it has its own thread; readiness on the public port, so
//! that the answer also proves that the port accepts. No TLS: it runs beside the gateway, behind whatever ends TLS.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::VerbError;
use crate::config::Config;
use crate::config::server::ServerConfig;
use crate::config::source::Source;

/// The whole request, name resolution included: half of the shortest probe interval in use.
const PATIENCE: Duration = Duration::from_secs(2);
/// A status line is far shorter; whoever sends more before a line break is no gateway.
const STATUS_LINE_BYTES_MAX: usize = 256;

/// What to ask, and whom.
#[derive(Debug, Default, clap::Args)]
pub struct Healthcheck {
    /// Ask whether it is ready, not only whether it lives
    #[arg(long)]
    pub ready: bool,
    /// Ask this gateway (http://host:port) instead of the one the settings describe
    #[arg(long)]
    pub url: Option<String>,
}

impl Healthcheck {
    pub(super) fn run(&self, source: &dyn Source, out: &mut dyn Write) -> Result<(), VerbError> {
        let authority = match &self.url {
            Some(url) => authority_of(url)?.to_owned(),
            None => self.own_address(&Config::read(source)?.0.server)?.to_string(),
        };
        let path = if self.ready { "/health/ready" } else { "/health/live" };
        let status = ask(&authority, path)?;
        if status != 200 {
            return Err(VerbError::Failed(format!("{path} answers {status}")));
        }
        Ok(writeln!(out, "{path} answers {status}")?)
    }

    /// The listener to ask, reached over loopback where it listens everywhere.
    fn own_address(&self, server: &ServerConfig) -> Result<SocketAddr, VerbError> {
        let asked = if self.ready { None } else { server.admin_addr };
        let mut address = asked.unwrap_or(server.public_addr);
        if address.port() == 0 {
            return Err(VerbError::Usage("PORT is 0: say where it listens with --url"));
        }
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(address)
    }
}

/// `host:port` of `http://host:port[/]`.
fn authority_of(url: &str) -> Result<&str, VerbError> {
    let wrong = VerbError::Usage("--url: expected http://host:port");
    let Some(authority) = url.strip_prefix("http://") else { return Err(wrong) };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && authority.bytes().all(plain) { Ok(authority) } else { Err(wrong) }
}

/// One request within [`PATIENCE`], on a runtime of its own.
fn ask(authority: &str, path: &str) -> Result<u16, VerbError> {
    let failed = |error: std::io::Error| VerbError::Failed(format!("{path} cannot be asked: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, status_of(authority, path)).await });
    // A name that is still being resolved blocks a thread; it must not keep us past our time.
    runtime.shutdown_background();
    match answer {
        Ok(status) => status.map_err(failed),
        Err(_) => Err(VerbError::Failed(format!("{path} does not answer in {} s", PATIENCE.as_secs()))),
    }
}

async fn status_of(authority: &str, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::with_capacity(STATUS_LINE_BYTES_MAX);
    while !line.contains(&b'\n') && line.len() < STATUS_LINE_BYTES_MAX {
        if stream.read_buf(&mut line).await? == 0 {
            break;
        }
    }
    status_in(&line).ok_or_else(|| std::io::Error::other("the answer is not HTTP/1.1"))
}

/// The code in `HTTP/1.1 200 OK`.
fn status_in(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line.split(|byte| *byte == b'\n').next()?).ok()?;
    let code = line.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    code.parse().ok().filter(|code| (100..=599).contains(code))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write as _};

    use super::*;
    use crate::config::source::MapSource;

    /// Answers one request on loopback and gives back what was asked.
    fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let gateway = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut request = Vec::new();
            let mut chunk = [0; 512];
            while !request.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut chunk).expect("the request arrives");
                assert_ne!(length, 0, "the request is whole");
                request.extend_from_slice(&chunk[..length]);
            }
            stream.write_all(answer.as_bytes()).expect("the answer leaves");
            String::from_utf8(request).expect("a request is text")
        });
        (address, gateway)
    }

    fn check(ready: bool, url: &str) -> (Result<(), VerbError>, String) {
        let mut out = Vec::new();
        let done = Healthcheck { ready, url: Some(url.to_owned()) }.run(&MapSource::default(), &mut out);
        (done, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_gateway_that_answers_200_is_well() {
        let (address, gateway) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let (done, said) = check(false, &format!("http://{address}/"));
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(said, "/health/live answers 200\n");
        let request = gateway.join().expect("it asserts nothing that fails");
        assert!(request.starts_with("GET /health/live HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("Host: {address}\r\n")), "{request}");
    }

    #[test]
    fn any_other_answer_fails() {
        for (answer, said) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "/health/ready answers 503"),
            ("SSH-2.0-x\r\n", "/health/ready cannot be asked: the answer is not HTTP/1.1"),
            ("", "/health/ready cannot be asked: the answer is not HTTP/1.1"),
        ] {
            let (address, gateway) = answering(answer);
            let (done, out) = check(true, &format!("http://{address}"));
            assert_eq!(done.expect_err("not well").to_string(), said);
            assert_eq!(out, "");
            gateway.join().expect("it asserts nothing that fails");
        }
    }

    #[test]
    fn nobody_there_fails() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let (done, _) = check(false, &format!("http://{address}"));
        assert_eq!(done.expect_err("nobody listens").exit_code(), super::super::EXIT_FAILED);
    }

    #[test]
    fn urls_other_than_plain_http_are_refused() {
        for url in [
            "",
            "https://a:1",
            "http://a",
            "http://a:1/x",
            "http://a:1?x",
            "http://u@a:1",
            "http://a:1\r\nX:1",
        ] {
            assert!(matches!(authority_of(url), Err(VerbError::Usage(_))), "{url}");
        }
        assert_eq!(authority_of("http://[::1]:80/").ok(), Some("[::1]:80"));
    }

    #[test]
    fn the_settings_say_whom_to_ask() {
        let server = |pairs: [(&str, &str); 3]| {
            Config::read(&MapSource::from(pairs)).expect("sound settings").0.server
        };
        let ask = |ready, server: &ServerConfig| {
            Healthcheck { ready, url: None }.own_address(server).map(|address| address.to_string()).ok()
        };
        let both = server([("HOST", "::"), ("PORT", "8081"), ("ADMIN_ADDR", "0.0.0.0:9090")]);
        assert_eq!(ask(true, &both).as_deref(), Some("[::1]:8081"));
        assert_eq!(ask(false, &both).as_deref(), Some("127.0.0.1:9090"));
        let one = server([("HOST", "127.0.0.9"), ("PORT", "8081"), ("ADMIN_ADDR", "")]);
        assert_eq!(ask(false, &one).as_deref(), Some("127.0.0.9:8081"));
        assert_eq!(ask(true, &server([("PORT", "0"), ("HOST", ""), ("ADMIN_ADDR", "")])), None);
    }
}
