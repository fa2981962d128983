//! The chaos proxy does what it says: a fault that does not happen would make every fault test pass.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::chaos_proxy::{ChaosProxy, Direction, echo_behind_proxy, is_reset};
use crate::support::wait::{self, soon};

async fn connect(proxy: &ChaosProxy) -> TcpStream {
    TcpStream::connect(proxy.addr()).await.unwrap()
}

/// Sends `text` and reads as many bytes back.
async fn echo(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut back = vec![0; text.len()];
    soon("the echo", stream.read_exact(&mut back)).await?;
    Ok(back)
}

#[tokio::test]
async fn leads_to_another_server() {
    let (proxy, echo) = echo_behind_proxy().await;
    let mut before = connect(&proxy).await;
    assert_eq!(echo_one(&mut before).await, b'x');
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.lead_to(listener.local_addr().unwrap().port());
    assert_reset(&mut before).await;
    let mut after = connect(&proxy).await;
    after.write_all(b"y").await.unwrap();
    let (mut other, _) = soon("the other server", listener.accept()).await.unwrap();
    let mut byte = [0];
    soon("a byte", other.read_exact(&mut byte)).await.unwrap();
    assert_eq!(byte, *b"y");
    drop(echo);
}

async fn echo_one(stream: &mut TcpStream) -> u8 {
    echo(stream, b"x").await.unwrap()[0]
}

async fn assert_reset(stream: &mut TcpStream) {
    let ended = soon("a reset", stream.read(&mut [0; 1])).await;
    let error = ended.expect_err("a RST, not an orderly end");
    assert!(is_reset(&error), "{error}");
}

/// Nothing comes back although the proxy has the bytes: asserted by its own counter, not by waiting for time.
async fn swallowed(proxy: &ChaosProxy, direction: Direction, bytes: u64) {
    let what = format!("{bytes} bytes {direction:?} to be swallowed");
    wait::until(&what, || std::future::ready((proxy.bytes(direction) >= bytes).then_some(()))).await;
}

#[tokio::test]
async fn passes_both_ways_and_ends_with_the_client() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    let text = vec![7; 300_000];
    // More than the buffers between hold: both directions must flow at once.
    let (mut read, mut write) = stream.split();
    let mut back = vec![0; text.len()];
    let (sent, received) = tokio::join!(write.write_all(&text), soon("the echo", read.read_exact(&mut back)));
    sent.unwrap();
    received.unwrap();
    assert_eq!(back, text);
    assert_eq!(proxy.bytes(Direction::Up), 300_000);
    assert_eq!((proxy.open(), proxy.accepted()), (1, 1));
    stream.shutdown().await.unwrap();
    assert_eq!(soon("the end", stream.read(&mut [0; 1])).await.unwrap(), 0, "an orderly end passes through");
    proxy.wait_open(0).await;
}

#[tokio::test]
async fn a_cut_resets_old_and_new_connections_until_healed() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"one").await.unwrap(), b"one");
    proxy.cut();
    assert_reset(&mut old).await;
    let mut refused = connect(&proxy).await;
    assert_reset(&mut refused).await;
    proxy.heal();
    assert_eq!(echo(&mut connect(&proxy).await, b"two").await.unwrap(), b"two");
}

#[tokio::test]
async fn reset_connections_spares_new_ones() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"one").await.unwrap(), b"one");
    proxy.reset_connections();
    assert_reset(&mut old).await;
    assert_eq!(echo(&mut connect(&proxy).await, b"two").await.unwrap(), b"two");
}

#[tokio::test]
async fn a_blackhole_swallows_and_resets_what_it_holed() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut holed = connect(&proxy).await;
    let mut idle = connect(&proxy).await;
    assert_eq!(echo(&mut holed, b"one").await.unwrap(), b"one");
    assert_eq!(echo(&mut idle, b"one").await.unwrap(), b"one");
    proxy.blackhole();
    let mut new = connect(&proxy).await;
    new.write_all(b"lost").await.unwrap();
    holed.write_all(b"lost").await.unwrap();
    swallowed(&proxy, Direction::Up, 6 + 8).await;
    assert_eq!(proxy.bytes(Direction::Down), 6, "the echo heard nothing");
    assert_eq!(proxy.open(), 3, "and nobody was disconnected");
    proxy.heal();
    assert_reset(&mut holed).await;
    assert_reset(&mut new).await;
    assert_eq!(echo(&mut idle, b"two").await.unwrap(), b"two", "no byte lost, so the connection goes on");
}

#[tokio::test]
async fn half_open_lets_the_server_hear_and_not_be_heard() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echo(&mut stream, b"one").await.unwrap(), b"one");
    proxy.half_open(Direction::Down);
    stream.write_all(b"heard").await.unwrap();
    swallowed(&proxy, Direction::Down, 3 + 5).await;
    proxy.heal();
    assert_reset(&mut stream).await;
}

#[tokio::test]
async fn a_pause_is_felt_by_the_sender_and_loses_nothing() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echo(&mut stream, b"one").await.unwrap(), b"one");
    proxy.pause(Direction::Up, true);
    let mut sent = 0;
    // Until the kernel takes no more: the socket stays unwritable for a while.
    while tokio::time::timeout(Duration::from_millis(200), stream.writable()).await.is_ok() {
        match stream.try_write(&[7; 65_536]) {
            Ok(count) => sent += count,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    assert!(sent > 0);
    assert_eq!(proxy.bytes(Direction::Up), 3, "paused means unread");
    proxy.pause(Direction::Up, false);
    let mut back = vec![0; sent];
    soon("all bytes", stream.read_exact(&mut back)).await.unwrap();
    assert!(back.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_delay_takes_its_time_and_keeps_order() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.delay(Duration::from_millis(30), Duration::from_millis(30));
    let start = Instant::now();
    let (mut read, mut write) = stream.split();
    let mut back = Vec::new();
    for number in 0..200u8 {
        write.write_all(&[number]).await.unwrap();
    }
    while back.len() < 200 {
        let count = soon("bytes", read.read_buf(&mut back)).await.unwrap();
        assert!(count > 0);
    }
    assert!(start.elapsed() >= Duration::from_millis(60), "30 ms each way at least");
    assert_eq!(back, (0..200).collect::<Vec<u8>>());
}

#[tokio::test]
async fn slices_arrive_whole_in_the_end() {
    let (proxy, _echo) = echo_behind_proxy().await;
    proxy.slice(Direction::Up, 1);
    proxy.slice(Direction::Down, 3);
    let text: Vec<u8> = (0..=255).collect();
    assert_eq!(echo(&mut connect(&proxy).await, &text).await.unwrap(), text);
}

#[tokio::test]
async fn a_rate_holds_bytes_back() {
    let (proxy, _echo) = echo_behind_proxy().await;
    proxy.rate(Direction::Up, 10_000);
    let start = Instant::now();
    assert_eq!(echo(&mut connect(&proxy).await, &[7; 2_000]).await.unwrap(), [7; 2_000]);
    // The pause behind the last piece is not waited for: 3 of 4 pieces of 500 bytes, 50 ms each.
    assert!(start.elapsed() >= Duration::from_millis(150), "2000 bytes at 10 kB/s");
}

#[tokio::test]
async fn close_after_delivers_exactly_so_many_bytes_and_happens_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = ChaosProxy::start(listener.local_addr().unwrap()).await;
    proxy.close_after(Direction::Up, 5);
    let mut stream = connect(&proxy).await;
    let (mut server, _) = soon("the connection", listener.accept()).await.unwrap();
    stream.write_all(b"requests").await.unwrap();
    let mut heard = Vec::new();
    soon("the end", server.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"reque");
    assert_reset(&mut stream).await;

    let mut again = connect(&proxy).await;
    let (mut server, _) = soon("the connection", listener.accept()).await.unwrap();
    again.write_all(b"requests").await.unwrap();
    let mut whole = [0; 8];
    soon("all of it", server.read_exact(&mut whole)).await.unwrap();
    assert_eq!(&whole, b"requests");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_reset() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = ChaosProxy::start(listener.local_addr().unwrap()).await;
    drop(listener);
    assert_reset(&mut connect(&proxy).await).await;
    proxy.wait_open(0).await;
}

/// A connection that says the word by which Redis is asked for announcements, and one that does not.
async fn listener_and_other(proxy: &ChaosProxy) -> (TcpStream, TcpStream) {
    let (mut listener, mut other) = (connect(proxy).await, connect(proxy).await);
    assert_eq!(echo(&mut listener, b"SSUBSCRIBE a").await.unwrap(), b"SSUBSCRIBE a");
    assert_eq!(echo(&mut other, b"EVALSHA").await.unwrap(), b"EVALSHA");
    (listener, other)
}

#[tokio::test]
async fn only_connections_that_listen_are_cut() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let (mut listener, mut other) = listener_and_other(&proxy).await;
    proxy.cut_listeners();
    assert_reset(&mut listener).await;
    assert_eq!(echo(&mut other, b"on").await.unwrap(), b"on");
    let mut late = connect(&proxy).await;
    assert_eq!(echo(&mut late, b"HELLO 3").await.unwrap(), b"HELLO 3");
    late.write_all(b"SSUBSCRIBE b").await.unwrap();
    assert_reset(&mut late).await;
    proxy.heal();
    let (_listener, _other) = listener_and_other(&proxy).await;
}

#[tokio::test]
async fn only_connections_that_listen_are_deafened() {
    let (proxy, _echo) = echo_behind_proxy().await;
    let (mut listener, mut other) = listener_and_other(&proxy).await;
    proxy.deafen_listeners();
    let before = proxy.bytes(Direction::Down);
    listener.write_all(b"PING").await.unwrap();
    swallowed(&proxy, Direction::Down, before + 4).await;
    assert_eq!(echo(&mut other, b"on").await.unwrap(), b"on");
    // A stream with a hole is never mended.
    proxy.heal();
    assert_reset(&mut listener).await;
    assert_eq!(echo(&mut other, b"still").await.unwrap(), b"still");
}
