//! A TCP proxy on loopback that a test can break and mend while connections run through it.
//!
//! It knows bytes, not Redis or WebSocket. One task owns both sockets of a connection, so a cut is one decision;
//! faults are a value ([`Plan`]) in a `watch`, so each takes effect on live connections at once. Two honesties:
//! a connection that had bytes swallowed is reset by `heal`, because no network delivers a stream with a hole; and
//! a refused connection is accepted and reset, because giving the port back would let another process take it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::wait;
use pump::Pump;

// Named, because other test binaries take this file by its path.
#[path = "chaos_proxy/pump.rs"]
mod pump;

/// What the kernel holds for a narrow line, or one of limited rate.
const THIN_BUFFER: u32 = 16 * 1024;

/// The two ways through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the side that connected to the server behind the proxy.
    Up,
    /// From that server back.
    Down,
}

/// What happens to bytes of one direction.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// Read and thrown away.
    swallow: bool,
    /// Not read at all: the kernel's buffers fill and the sender feels it.
    pause: bool,
    /// Held back for the first, plus up to the second at random; order is kept.
    delay: Option<(Duration, Duration)>,
    /// Written in pieces of at most so many bytes, each a write of its own.
    slice: Option<usize>,
    /// Bytes per second.
    rate: Option<u64>,
    /// The connection is reset.
    cut: bool,
    /// Bytes until the connection that carries the last of them is closed; once.
    close_after: Option<Arc<AtomicU64>>,
}

/// A fate for the connections of Redis that carry announcements, told from others by the word `SUBSCRIBE` in what they sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Listeners {
    #[default]
    Served,
    Deaf,
    Cut,
}

#[derive(Debug, Clone, Default)]
struct Plan {
    refuse: bool,
    /// Raised by a cut: connections born under another number are reset.
    generation: u64,
    /// The one connection, by its number, to which nothing of what the server says gets through.
    deaf: Option<u64>,
    /// What becomes of connections that subscribed to something, and of those that will.
    listeners: Listeners,
    /// Nothing of what the server says gets through to its replicas.
    copies_deaf: bool,
    /// New connections take little from the server before it feels that nobody reads.
    narrow: bool,
    up: Lane,
    down: Lane,
}

impl Plan {
    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    fn lane_mut(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    open: AtomicUsize,
    up: AtomicU64,
    down: AtomicU64,
}

/// The proxy; ends its listener and all its connections when dropped.
pub struct ChaosProxy {
    addr: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    plan: watch::Sender<Plan>,
    counts: Arc<Counts>,
    _accept: JoinSet<()>,
}

impl ChaosProxy {
    /// Listens on a free loopback port and passes everything to `target`.
    pub async fn start(target: SocketAddr) -> ChaosProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let plan = watch::Sender::new(Plan::default());
        let counts = Arc::new(Counts::default());
        let target = Arc::new(Mutex::new(target));
        let mut accept = JoinSet::new();
        accept.spawn(accept_all(listener, Arc::clone(&target), plan.subscribe(), Arc::clone(&counts)));
        ChaosProxy { addr, target, plan, counts, _accept: accept }
    }

    /// [`ChaosProxy::start`] in front of a loopback port.
    pub async fn to_port(port: u16) -> ChaosProxy {
        ChaosProxy::start(SocketAddr::from(([127, 0, 0, 1], port))).await
    }

    /// Where to connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port of [`ChaosProxy::addr`].
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// All faults end and new connections are welcome; connections that lost bytes are reset. A narrow proxy stays narrow.
    pub fn heal(&self) {
        self.change(|plan| {
            *plan = Plan { generation: plan.generation, narrow: plan.narrow, ..Plan::default() };
        });
    }

    /// From now on connections keep a small receive buffer towards the server: one that is not read from is felt there after kilobytes
    /// instead of megabytes.
    pub fn narrow(&self) {
        self.change(|plan| plan.narrow = true);
    }

    /// Resets (RST) every connection and, until [`ChaosProxy::heal`], every new one.
    pub fn cut(&self) {
        self.change(|plan| {
            plan.generation += 1;
            plan.refuse = true;
        });
    }

    /// Resets every connection; new ones pass.
    pub fn reset_connections(&self) {
        self.change(|plan| plan.generation += 1);
    }

    /// Resets every connection; new ones go to another loopback port, as a failover behind one address makes them.
    pub fn lead_to(&self, port: u16) {
        *self.target.lock().unwrap() = SocketAddr::from(([127, 0, 0, 1], port));
        self.reset_connections();
    }

    /// Silence without a RST: connections stay open, new ones are accepted, and no byte comes out on either side.
    pub fn blackhole(&self) {
        self.change(|plan| {
            plan.up.swallow = true;
            plan.down.swallow = true;
        });
    }

    /// Swallows one direction only: with `Down`, the server hears and is not heard.
    pub fn half_open(&self, silent: Direction) {
        self.change(|plan| plan.lane_mut(silent).swallow = true);
    }

    /// Swallows what the server says on one connection, named by its number in order of acceptance from 1; all others pass.
    pub fn deafen(&self, connection: u64) {
        self.change(|plan| plan.deaf = Some(connection));
    }

    /// Swallows what the server says on every connection that subscribed to something, now and later; all others pass.
    pub fn deafen_listeners(&self) {
        self.change(|plan| plan.listeners = Listeners::Deaf);
    }

    /// Swallows what the server says on every connection by which a replica follows it; all others pass.
    pub fn deafen_replicas(&self) {
        self.change(|plan| plan.copies_deaf = true);
    }

    /// Resets every connection that subscribed to something, now and as soon as a new one does; all others pass.
    pub fn cut_listeners(&self) {
        self.change(|plan| plan.listeners = Listeners::Cut);
    }

    /// Stops reading one direction, or goes on; nothing is lost, the sender's buffers fill.
    pub fn pause(&self, direction: Direction, paused: bool) {
        self.change(|plan| plan.lane_mut(direction).pause = paused);
    }

    /// Holds bytes of both directions back for `base` plus up to `jitter`, each way.
    pub fn delay(&self, base: Duration, jitter: Duration) {
        self.change(|plan| {
            plan.up.delay = Some((base, jitter));
            plan.down.delay = Some((base, jitter));
        });
    }

    /// Writes one direction in pieces of at most `bytes`.
    pub fn slice(&self, direction: Direction, bytes: usize) {
        assert!(bytes > 0, "a piece has at least one byte");
        self.change(|plan| plan.lane_mut(direction).slice = Some(bytes));
    }

    /// Lets `bytes_per_second` of one direction through.
    pub fn rate(&self, direction: Direction, bytes_per_second: u64) {
        assert!(bytes_per_second > 0, "for no bytes at all there is `pause`");
        self.change(|plan| plan.lane_mut(direction).rate = Some(bytes_per_second));
    }

    /// Once: after `bytes` more of one direction went through, the connection that carried the last is closed. The
    /// receiver gets all of them and an orderly end; the sender gets a RST and nothing that was answered.
    pub fn close_after(&self, direction: Direction, bytes: u64) {
        assert!(bytes > 0, "to close at once there is `reset_connections`");
        self.change(|plan| plan.lane_mut(direction).close_after = Some(Arc::new(AtomicU64::new(bytes))));
    }

    /// Connections accepted so far, refused ones included.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Bytes read from one side so far, swallowed ones included.
    pub fn bytes(&self, direction: Direction) -> u64 {
        counter(&self.counts, direction).load(Ordering::SeqCst)
    }

    /// Waits until exactly `count` connections are open.
    pub async fn wait_open(&self, count: usize) {
        let what = format!("{count} connections through the proxy");
        wait::until(&what, || std::future::ready((self.open() == count).then_some(()))).await;
    }

    fn change(&self, apply: impl FnOnce(&mut Plan)) {
        self.plan.send_modify(apply);
    }
}

fn counter(counts: &Counts, direction: Direction) -> &AtomicU64 {
    match direction {
        Direction::Up => &counts.up,
        Direction::Down => &counts.down,
    }
}

/// Counts a connection as open for as long as it lives, and knows its number.
struct Open(Arc<Counts>, u64);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept_all(
    listener: TcpListener,
    target: Arc<Mutex<SocketAddr>>,
    plan: watch::Receiver<Plan>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let number = counts.accepted.fetch_add(1, Ordering::SeqCst) + 1;
                if plan.borrow().refuse {
                    reset(&client);
                    continue;
                }
                counts.open.fetch_add(1, Ordering::SeqCst);
                let target = *target.lock().unwrap();
                connections.spawn(carry(client, target, plan.clone(), Open(Arc::clone(&counts), number)));
            }
            Some(ended) = connections.join_next() => {
                ended.expect("a proxied connection ends, it does not panic");
            }
        }
    }
}

/// What a connection has asked its server for.
#[derive(Default)]
struct Asked {
    /// Announcements.
    listens: AtomicBool,
    /// The stream of a primary.
    copies: AtomicBool,
}

/// Why a connection through the proxy ends.
enum End {
    /// Both sides said goodbye: nothing is left to do.
    Quiet,
    /// A side failed or a fault asks for it: both sides are reset.
    Reset,
    /// The receiver of this direction has its bytes and an orderly end, the sender is reset.
    ClosedAfter(Direction),
}

/// One connection, from its acceptance to its end.
async fn carry(mut client: TcpStream, target: SocketAddr, mut plan: watch::Receiver<Plan>, open: Open) {
    let (generation, thin) = {
        let plan = plan.borrow_and_update();
        (plan.generation, plan.narrow || plan.down.rate.is_some())
    };
    let asked = Asked::default();
    let Ok(mut server) = connect(target, thin).await else {
        return reset(&client);
    };
    // A proxy adds no delay of its own; the sockets exist, so this cannot fail in a way that matters.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let end = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let mut up = Pump::new(Direction::Up, plan.clone(), &open, &asked);
        let mut down = Pump::new(Direction::Down, plan.clone(), &open, &asked);
        let both = async {
            tokio::try_join!(up.run(client_read, server_write), down.run(server_read, client_write))
        };
        tokio::select! {
            ended = both => match ended { Ok(_) => End::Quiet, Err(end) => end },
            _ = plan.wait_for(|plan| plan.generation != generation) => End::Reset,
        }
    };
    match end {
        End::Quiet => {}
        End::ClosedAfter(Direction::Up) => reset(&client),
        End::ClosedAfter(Direction::Down) => reset(&server),
        End::Reset => {
            reset(&client);
            reset(&server);
        }
    }
}

/// Connects to the server; over a line that is `thin` by then, with a buffer to match: a deep one would take megabytes at once and look fast.
async fn connect(target: SocketAddr, thin: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if thin {
        socket.set_recv_buffer_size(THIN_BUFFER)?;
    }
    socket.connect(target).await
}

/// Makes the drop of `stream` a RST.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        eprintln!("chaos proxy: a connection will end with FIN where RST was meant: {error}");
    }
}

/// A [`ChaosProxy`] in front of something that sends every byte back, for tests of the proxy.
pub async fn echo_behind_proxy() -> (ChaosProxy, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut echoes = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            echoes.spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    (ChaosProxy::start(target).await, tasks)
}

/// Whether an error is what a RST looks like from either end.
pub fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
